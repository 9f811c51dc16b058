// The C++ header: every class once, errors both ways, callbacks that throw.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <quorate.hpp>
#include <thread>
#include <type_traits>

#define CHECK(what)                                                                            \
    do {                                                                                       \
        if (!(what)) {                                                                         \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                    \
            std::exit(1);                                                                      \
        }                                                                                      \
    } while (0)

using namespace std::chrono_literals;

template <class F> static void await(F &&condition) {
    for (int waited = 0; !condition(); waited++) {
        CHECK(waited < 12000);
        std::this_thread::sleep_for(5ms);
    }
}

template <class T>
constexpr bool move_only = std::is_move_constructible_v<T> &&std::is_move_assignable_v<T> &&
                           !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
static_assert(move_only<quorate::client> && move_only<quorate::server>);
static_assert(move_only<quorate::held_lock> && move_only<quorate::term>);
static_assert(move_only<quorate::election> && move_only<quorate::watch>);
static_assert(move_only<quorate::multi>);

static void nodes(quorate::client &client) {
    auto created = client.create("/cpp/a", "one");
    CHECK(created.path == "/cpp/a" && created.stat.czxid > 0);
    CHECK(client.get("/cpp/a").data == "one");
    CHECK(client.set("/cpp/a", "two", 0).version == 1);
    CHECK(client.exists("/cpp/a")->version == 1 && !client.exists("/cpp/none"));
    CHECK(client.create("/cpp/n-", "", quorate::mode::ephemeral_sequential).path.size() == 17);
    CHECK(client.create("/cpp/t", "", quorate::mode::persistent_ttl, 10s, 1min).path ==
          "/cpp/t");
    CHECK(client.children("/cpp").names.size() == 3);
    client.sync("/cpp");

    try {
        client.set("/cpp/a", "", 7);
        CHECK(false);
    } catch (const quorate::error &error) {
        CHECK(error.code() == QUORATE_BAD_VERSION && error.path() == "/cpp/a");
        CHECK(std::string(error.name()) == "BadVersion" && error.operation() == "setData");
        CHECK(!error.outcome_unknown() && error.part() == -1);
    }
    auto missing = client.try_get("/cpp/none");
    CHECK(!missing && missing.code() == QUORATE_NO_NODE);
    CHECK(missing.failure().path() == "/cpp/none");
    CHECK(client.try_get("/cpp/a")->data == "two");

    auto parts =
        client.multi().create("/cpp/b", "x").set("/cpp/b", "y").check("/cpp/b", 1).commit();
    CHECK(parts.size() == 3 && parts[0].path == "/cpp/b" && parts[1].stat.version == 1);
    auto failed = client.multi().remove("/cpp/b").check("/cpp/none").try_commit();
    CHECK(failed.code() == QUORATE_NO_NODE && failed.failure().part() == 1);
    CHECK(client.multi().set("/cpp/b", "", 1).check("\xff").try_commit().code() ==
          QUORATE_INVALID_ARGUMENT);
    client.remove("/cpp/b");
}

static void access(const quorate::server &server, quorate::client &plain) {
    quorate::client::options options;
    options.server = &server;
    options.identities = {{"digest", "own:er"}};
    quorate::client owner(options);
    const quorate::acl own{{QUORATE_PERMISSION_ALL, "auth"}};
    owner.create("/cpp/own", "x", quorate::mode::ephemeral, 10s, 0s, own);
    owner.multi().create("/cpp/too", "", quorate::mode::ephemeral, 0s, own).commit();
    CHECK(owner.get("/cpp/own").data == "x");
    CHECK(plain.try_get("/cpp/own").code() == QUORATE_NO_AUTH);
    CHECK(plain.try_get("/cpp/too").code() == QUORATE_NO_AUTH);
    options.server = nullptr;
    options.tls = quorate::tls{"/dev/null/ca.pem"};
    CHECK(quorate::client::try_connect(options).code() == QUORATE_BAD_ARGUMENTS);
}

static void watches(quorate::client &client) {
    std::atomic<int> events{0}, caught{0};
    quorate::on_exception() = [&](std::exception_ptr) { caught++; };
    auto [node, once] = client.get_and_watch("/cpp/a", [&](const quorate::event &event) {
        CHECK(event.kind == quorate::event_kind::changed && event.path == "/cpp/a");
        events++;
        throw std::runtime_error("out of a callback");
    });
    CHECK(node.data == "two");
    auto watch = client.watch(
        "/cpp", [&](const quorate::event &) { events++; }, true);
    client.set("/cpp/a", "three");
    await([&] { return events == 2; });
    await([&] { return caught == 1; });
    watch.close();
    client.set("/cpp/a", "four");
    auto owned = std::make_shared<int>(1);
    {
        auto [stat, ending] =
            client.exists_and_watch("/cpp/none", [owned](const quorate::event &) {});
        CHECK(!stat && owned.use_count() == 2);
    }
    await([&] { return owned.use_count() == 1; });
    CHECK(client.children_and_watch("/cpp", [](const quorate::event &) {}).first.names.size() ==
          3);
    CHECK(client.try_get_and_watch("/cpp/none", [owned](const quorate::event &) {}).code() ==
          QUORATE_NO_NODE);
    CHECK(owned.use_count() == 1 && events == 2);
    quorate::on_exception() = nullptr;
}

static void recipes(const quorate::server &server, quorate::client &client) {
    quorate::client other(server);
    int64_t token;
    {
        auto held = client.lock("/cpp/lock", 10s, "me");
        token = held.token();
        CHECK(held.is_held() && held.path().rfind("/cpp/lock/", 0) == 0);
        CHECK(client.get(held.path()).data == "me");
        CHECK(other.try_lock_now("/cpp/lock").code() == QUORATE_BUSY);
        CHECK(other.try_lock("/cpp/lock", 20ms).code() == QUORATE_TIMED_OUT);
        held.guarded().create("/cpp/guarded").commit();
        CHECK(!held.wait_lost(5ms));
    }
    auto held = other.try_lock_now("/cpp/lock");
    CHECK(held && held->token() > token);
    std::atomic<int> lost{0};
    held->on_lost([&](int32_t reason) { lost = reason; });
    client.remove(held->path());
    await([&] { return lost == QUORATE_LOST_DELETED; });
    CHECK(held->wait_lost(10s) && !held->guarded().set("/cpp/guarded", "").try_commit());
    held->release();

    auto first = client.stand("/cpp/election", "one");
    auto term = first.lead(10s);
    auto second = other.stand("/cpp/election");
    CHECK(term.holds() && first.is_leader() && !second.is_leader());
    CHECK(second.try_lead(20ms).code() == QUORATE_TIMED_OUT);
    std::atomic<bool> over{false};
    term.on_lost([&] { over = true; });
    term.guarded().set("/cpp/guarded", "1").commit();
    first.leave();
    await([&] { return over.load(); });
    CHECK(!term.holds() && term.wait_lost(10s));
    CHECK(!term.guarded().set("/cpp/guarded", "2").try_commit());
    CHECK(second.lead(10s).token() > term.token());
}

int main() {
    quorate::server::options memory;
    memory.port = QUORATE_PORT_NONE;
    quorate::server hidden(memory);
    CHECK(hidden.address().empty());
    quorate::server server;
    std::atomic<int> last{0};
    quorate::client::options options;
    options.servers = server.address();
    options.on_state = [&](quorate::state state) { last = static_cast<int>(state); };
    {
        quorate::client client(options);
        CHECK(client.state() == quorate::state::connected && client.session().id != 0);
        client.create("/cpp");
        nodes(client);
        access(server, client);
        watches(client);
        recipes(server, client);
        quorate::client moved(std::move(client));
        CHECK(moved.get("/cpp").stat.num_children > 0);
        CHECK(client.state() == quorate::state::closed || client.id() == 0);
        moved.close();
        CHECK(moved.try_get("/cpp").code() == QUORATE_INVALID_HANDLE);
    }
    CHECK(last == QUORATE_STATE_CLOSED);
    try {
        quorate::client nobody("127.0.0.1:1", 30ms);
        CHECK(false);
    } catch (const quorate::error &error) {
        CHECK(error.code() == QUORATE_TIMED_OUT);
    }
    server.stop();
    CHECK(server.try_stop().code() == QUORATE_INVALID_HANDLE);
    std::puts("C++");
}
