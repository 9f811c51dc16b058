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
static_assert(move_only<quorate::multi> && move_only<quorate::pending<quorate::node>>);

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

// Results that come later: in order, and given up by whoever does not want them any more.
static void later(quorate::server &server, quorate::client &client) {
    auto made = client.create_async("/cpp/later", "0");
    std::vector<quorate::pending<quorate::stat>> sets;
    for (int i = 1; i <= 1000; i++)
        sets.push_back(client.set_async("/cpp/later", std::to_string(i)));
    auto read = client.get_async("/cpp/later");
    auto stat = client.exists_async("/cpp/later");
    auto names = client.children_async("/cpp/later");
    auto synced = client.sync_async("/cpp/later");
    auto both = client.multi().set("/cpp/later", "m").check("/cpp/later").commit_async();
    auto gone = client.remove_async("/cpp/later");
    CHECK(gone.wait() && gone.try_get());
    CHECK(made.get().path == "/cpp/later" && read.get().data == "1000");
    for (int i = 0; i < 1000; i++)
        CHECK(sets[static_cast<size_t>(i)].wait(0s) &&
              sets[static_cast<size_t>(i)].get().version == i + 1);
    CHECK(stat.get()->version == 1000 && names.get().names.empty() && synced.try_get());
    CHECK(both.get().size() == 2);

    auto missing = client.get_async("/cpp/none").try_get();
    CHECK(missing.code() == QUORATE_NO_NODE && missing.failure().path() == "/cpp/none");
    CHECK(client.get_async("/a\xff").try_get().code() == QUORATE_INVALID_ARGUMENT);
    auto wrong = client.multi().check("\xff").commit_async();
    CHECK(wrong.try_get().code() == QUORATE_INVALID_ARGUMENT);
    // Nobody waits for these.
    client.set_async("/cpp/a", "unseen");
    CHECK(client.get("/cpp/a").data == "unseen");

    auto held = client.lock_async("/cpp/line").get();
    quorate::client other(server);
    auto waits = other.lock_async("/cpp/line");
    auto dropped = std::make_optional(other.lock_async("/cpp/line"));
    await([&] { return client.children("/cpp/line").names.size() == 3; });
    CHECK(!waits.wait(1ms) && waits.cancel() && !waits.cancel());
    CHECK(waits.try_get().code() == QUORATE_CANCELLED);
    dropped.reset();
    await([&] { return client.children("/cpp/line").names.size() == 1; });
    auto late = other.lock_async("/cpp/line", 10ms);
    CHECK(late.try_get().code() == QUORATE_TIMED_OUT);
    auto next = other.lock_async("/cpp/line");
    held.release();
    auto taken = next.get();
    CHECK(taken.is_held());
    CHECK(!taken.guarded().set("/cpp/a", "next").commit().empty());
    {
        // Granted, and nobody takes it: released.
        auto unwanted = client.lock_async("/cpp/line");
        taken.release();
        CHECK(unwanted.wait(60s));
    }
    await([&] {
        auto names = other.try_children("/cpp/line");
        return names.code() == QUORATE_NO_NODE || (names && names->names.empty());
    });

    auto first = client.stand("/cpp/chair");
    auto leads = first.lead_async().get();
    auto second = other.stand("/cpp/chair");
    auto never = second.lead_async();
    CHECK(leads.holds() && never.cancel());
    CHECK(never.try_get().code() == QUORATE_CANCELLED && !second.is_leader());
    auto closing = other.lock_async("/cpp/line2");
    auto mine = closing.get();
    auto pending = client.lock_async("/cpp/line2");
    await([&] { return other.children("/cpp/line2").names.size() == 2; });
    quorate::client third(server);
    auto ends = third.lock_async("/cpp/line2");
    third.close();
    CHECK(ends.try_get().code() == QUORATE_CLOSING);
    CHECK(mine.try_wait_lost(0ms).value() == false);
    quorate::held_lock moved(std::move(mine));
    CHECK(mine.try_wait_lost(0ms).code() == QUORATE_INVALID_HANDLE);
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
        later(server, client);
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
