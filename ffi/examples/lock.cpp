// A server in this process, a client of it, a lock, and a write that depends on the lock.
#include <iostream>
#include <quorate.hpp>

int main() try {
    quorate::server server;
    quorate::client client(server);
    auto held = client.lock("/locks/report", std::chrono::seconds(10));
    std::cout << "fencing token " << held.token() << '\n';
    held.guarded().create("/report", "done").commit();
    std::cout << "/report: " << client.get("/report").data << '\n';
} catch (const quorate::error &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
