// A program of somebody else's.
#include <iostream>
#include <quorate.hpp>

int main() {
    quorate::server server;
    quorate::client client(server);
    client.create("/a");
    std::cout << "C++ with quorate " << quorate_version() << std::endl;
}
