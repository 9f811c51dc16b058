// Stands for leadership, leads, and stands again: the C++ contestant of the demonstration. What
// it tells and obeys: see contestant.c.
#include <chrono>
#include <iostream>
#include <poll.h>
#include <quorate.hpp>
#include <string>
#include <unistd.h>

using namespace std::chrono_literals;

// Waits so many milliseconds for the order to step down.
static bool ordered_down(int ms) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    std::string line;
    if (poll(&input, 1, ms) <= 0)
        return false;
    return !std::getline(std::cin, line) || line == "step down";
}

// Leads until the term is over or it is ordered down; answers whether it was. A write that
// fails ends the term: it may have happened.
static bool lead(quorate::term &term, const std::string &name) {
    const auto token = std::to_string(term.token());
    std::cout << "leading " << name << ' ' << token << std::endl;
    for (long written = 0;; written++) {
        auto value = name + ' ' + token + (written ? ' ' + std::to_string(written) : "");
        if (!term.guarded().set("/demo/leader", value).try_commit(10s)) {
            std::cout << "lost " << name << std::endl;
            return false;
        }
        if (written == 0)
            std::cout << "wrote " << name << ' ' << token << std::endl;
        if (ordered_down(50))
            return true;
    }
}

// Takes part until it has led; answers whether it was ordered down.
static bool take_part(quorate::client &client, const std::string &name) {
    auto election = client.stand("/demo/latch", name);
    std::cout << "waiting " << name << std::endl;
    for (;;) {
        auto term = election.try_lead(50ms);
        if (!term && term.code() != QUORATE_TIMED_OUT)
            throw term.failure();
        if (term && !lead(*term, name))
            return false;
        if (term || ordered_down(0)) {
            election.leave(10s);
            return true;
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 3) {
        std::cerr << "contestant ADDRESS NAME" << std::endl;
        return 2;
    }
    const std::string name = argv[2];
    try {
        quorate::client::options options;
        options.servers = argv[1];
        options.session_timeout = 2s;
        quorate::client client(options);
        while (!take_part(client, name)) {
        }
        std::cout << "left " << name << std::endl;
        client.close(10s);
    } catch (const quorate::error &error) {
        std::cerr << name << ": " << error.what() << std::endl;
        return 1;
    }
}
