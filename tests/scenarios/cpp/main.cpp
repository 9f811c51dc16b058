// Runs the scenarios with the C++ interface: `scenarios-cpp FILE`; otherwise as the runner in
// C, whose judge it has.
#include "../c/scenarios.h"
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <quorate.hpp>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using value = std::shared_ptr<json_object>;

namespace {

constexpr quorate::limit soon{LIMIT};

value owned(json_object *object) { return value(object, json_object_put); }

/// What callbacks have told.
template <class T> class told {
  public:
    void push(T item) {
        std::lock_guard guard(mutex_);
        items_.push_back(std::move(item));
        more_.notify_all();
    }
    T pop() {
        std::unique_lock guard(mutex_);
        if (!more_.wait_for(guard, soon, [&] { return !items_.empty(); }))
            FAIL("nothing has been told for %d ms", LIMIT);
        T item = std::move(items_.front());
        items_.pop_front();
        return item;
    }
    void forget() {
        std::lock_guard guard(mutex_);
        items_.clear();
    }

  private:
    std::mutex mutex_;
    std::condition_variable more_;
    std::deque<T> items_;
};

struct watching {
    std::shared_ptr<told<quorate::event>> events = std::make_shared<told<quorate::event>>();
    quorate::watch watch;
};

/// A lock or a leadership; what was released is left empty, but for the term, which can be
/// looked at.
struct hold {
    std::optional<quorate::held_lock> held;
    std::optional<quorate::election> election;
    std::optional<quorate::term> term;
};

struct connected {
    std::shared_ptr<told<std::string>> states;
    std::unique_ptr<quorate::client> client;
};

struct world {
    std::map<std::string, connected> clients;
    std::map<std::string, watching> watches;
    std::map<std::string, hold> holds;
    std::map<std::string, std::future<json_object *>> started;
};

quorate::client::options connection_options;
std::unique_ptr<world> now;

json_object *failed(const quorate::error &from) {
    auto error = json_object_new_object(), result = json_object_new_object();
    put(error, "name", json_object_new_string(from.name()));
    put(error, "code", json_object_new_int(from.code()));
    put(error, "path", json_object_new_string(from.path().c_str()));
    put(error, "operation", json_object_new_string(from.operation().c_str()));
    put(error, "outcome_unknown", json_object_new_boolean(from.outcome_unknown()));
    put(error, "part", from.part() < 0 ? nullptr : json_object_new_int(from.part()));
    put(result, "error", error);
    return result;
}

json_object *stat_of(const quorate::stat &stat) {
    auto object = json_object_new_object();
    put(object, "version", json_object_new_int(stat.version));
    put(object, "cversion", json_object_new_int(stat.cversion));
    put(object, "data_length", json_object_new_int(stat.data_length));
    put(object, "num_children", json_object_new_int(stat.num_children));
    put(object, "czxid", json_object_new_int64(stat.czxid));
    put(object, "mzxid", json_object_new_int64(stat.mzxid));
    return object;
}

const char *word(quorate::state state) {
    static const char *const words[] = {"",          "connecting", "connected", "read_only",
                                        "suspended", "lost",       "closed",    "auth_failed"};
    return words[static_cast<int>(state)];
}

std::string data_of(json_object *step) {
    auto hex = text(step, "hex");
    if (!hex)
        return text(step, "data");
    std::string data;
    for (; hex[0] && hex[1]; hex += 2)
        data += static_cast<char>(std::stoi(std::string(hex, 2), nullptr, 16));
    return data;
}

int32_t version_of(json_object *step) {
    auto version = member(step, "version");
    return version ? json_object_get_int(version) : quorate::any_version;
}

std::pair<quorate::mode, quorate::limit> kind_of(json_object *step) {
    static const std::map<std::string, quorate::mode> modes = {
        {"persistent", quorate::mode::persistent},
        {"ephemeral", quorate::mode::ephemeral},
        {"persistent_sequential", quorate::mode::persistent_sequential},
        {"ephemeral_sequential", quorate::mode::ephemeral_sequential},
        {"container", quorate::mode::container},
        {"persistent_ttl", quorate::mode::persistent_ttl},
        {"persistent_sequential_ttl", quorate::mode::persistent_sequential_ttl}};
    auto ttl = member(step, "ttl_ms");
    return {modes.at(text(step, "mode")), quorate::limit(ttl ? json_object_get_int64(ttl) : 0)};
}

json_object *commit(quorate::multi multi, json_object *step, size_t skipped) {
    auto parts = member(step, "parts");
    for (size_t i = 0; i < json_object_array_length(parts); i++) {
        auto part = json_object_array_get_idx(parts, i);
        const std::string verb = text(part, "do"), path = text(part, "path");
        if (verb == "create") {
            auto [mode, ttl] = kind_of(part);
            multi.create(path, data_of(part), mode, ttl);
        } else if (verb == "set") {
            multi.set(path, data_of(part), version_of(part));
        } else if (verb == "delete") {
            multi.remove(path, version_of(part));
        } else {
            multi.check(path, version_of(part));
        }
    }
    auto done = multi.commit(soon);
    auto object = json_object_new_object(), results = json_object_new_array();
    for (size_t i = skipped; i < done.size(); i++) {
        auto result = json_object_new_object();
        if (!done[i].path.empty())
            put(result, "path", json_object_new_string(done[i].path.c_str()));
        else if (done[i].stat.czxid)
            put(result, "stat", stat_of(done[i].stat));
        json_object_array_add(results, result);
    }
    put(object, "results", results);
    return object;
}

json_object *take(quorate::client &client, hold &hold, value step) {
    const std::string path = text(step.get(), "path");
    auto limit_ms = member(step.get(), "limit_ms");
    const quorate::limit within =
        limit_ms ? quorate::limit(json_object_get_int64(limit_ms)) : soon;
    auto object = json_object_new_object();
    auto refused = [&](const quorate::error &error) {
        if (error.code() != QUORATE_TIMED_OUT) {
            json_object_put(object);
            return failed(error);
        }
        put(object, "granted", json_object_new_boolean(false));
        return object;
    };
    int64_t token;
    if (std::string(text(step.get(), "do")) == "acquire") {
        auto held = client.try_lock(path, within);
        if (!held)
            return refused(held.failure());
        token = held->token();
        put(object, "path", json_object_new_string(held->path().c_str()));
        hold.held.emplace(std::move(held).value());
    } else {
        auto election = client.stand(path, text(step.get(), "id"));
        auto term = election.try_lead(within);
        if (!term)
            return refused(term.failure());
        token = term->token();
        hold.election.emplace(std::move(election));
        hold.term.emplace(std::move(term).value());
    }
    put(object, "granted", json_object_new_boolean(true));
    put(object, "token", json_object_new_int64(token));
    return object;
}

/// get, exists, children: with a watch if the step names one.
json_object *read(quorate::client &client, const std::string &verb, json_object *step) {
    const std::string path = text(step, "path");
    auto object = owned(json_object_new_object());
    auto name = text(step, "watch");
    watching left;
    auto call = [events = left.events](const quorate::event &event) { events->push(event); };
    if (verb == "get") {
        quorate::node node;
        if (name)
            std::tie(node, left.watch) = client.get_and_watch(path, call, soon);
        else
            node = client.get(path, soon);
        std::string hex;
        char digits[3];
        for (unsigned char byte : node.data) {
            std::snprintf(digits, sizeof digits, "%02x", byte);
            hex += digits;
        }
        put(object.get(), "hex", json_object_new_string(hex.c_str()));
        put(object.get(), "data",
            json_object_new_string_len(node.data.data(), static_cast<int>(node.data.size())));
        put(object.get(), "stat", stat_of(node.stat));
    } else if (verb == "exists") {
        std::optional<quorate::stat> stat;
        if (name)
            std::tie(stat, left.watch) = client.exists_and_watch(path, call, soon);
        else
            stat = client.exists(path, soon);
        put(object.get(), "exists", json_object_new_boolean(stat.has_value()));
        if (stat)
            put(object.get(), "stat", stat_of(*stat));
    } else {
        quorate::listing listing;
        if (name)
            std::tie(listing, left.watch) = client.children_and_watch(path, call, soon);
        else
            listing = client.children(path, soon);
        std::sort(listing.names.begin(), listing.names.end());
        auto names = json_object_new_array();
        for (const auto &child : listing.names)
            json_object_array_add(names, json_object_new_string(child.c_str()));
        put(object.get(), "names", names);
        put(object.get(), "stat", stat_of(listing.stat));
    }
    if (name)
        now->watches[name] = std::move(left);
    return json_object_get(object.get());
}

json_object *event(watching &watch) {
    static const char *const kinds[] = {"", "created", "deleted", "changed", "children"};
    auto event = watch.events->pop();
    auto object = json_object_new_object();
    put(object, "path", json_object_new_string(event.path.c_str()));
    if (event.kind == quorate::event_kind::ended) {
        put(object, "name", json_object_new_string(quorate_status_name(event.status)));
        put(object, "code", json_object_new_int(event.status));
        auto result = json_object_new_object();
        put(result, "error", object);
        return result;
    }
    if (event.kind == quorate::event_kind::missed)
        put(object, "missed", json_object_new_boolean(true));
    else
        put(object, "kind", json_object_new_string(kinds[static_cast<int>(event.kind)]));
    return object;
}

json_object *on_hold(const std::string &verb, json_object *step) {
    auto &hold = now->holds[text(step, "hold")];
    auto object = owned(json_object_new_object());
    if (verb == "holds") {
        bool holds = hold.term ? hold.term->holds() : hold.held && hold.held->is_held();
        put(object.get(), "holds", json_object_new_boolean(holds));
    } else if (verb == "lost") {
        if (!(hold.term ? hold.term->wait_lost(soon) : hold.held->wait_lost(soon)))
            FAIL("%s is not lost", text(step, "hold"));
    } else if (verb == "release") {
        if (hold.election)
            hold.election->leave(soon);
        else
            hold.held->release(soon);
    } else {
        return commit(hold.term ? hold.term->guarded() : hold.held->guarded(), step, 1);
    }
    return json_object_get(object.get());
}

json_object *run(const std::string &verb, json_object *step) {
    auto object = owned(json_object_new_object());
    const auto client_name = text(step, "client"), path = text(step, "path");
    if (verb == "event")
        return event(now->watches.at(text(step, "watch")));
    if (verb == "unwatch") {
        now->watches.erase(text(step, "watch"));
    } else if (verb == "finish") {
        return now->started.at(text(step, "started")).get();
    } else if (member(step, "hold") && verb != "acquire" && verb != "lead") {
        return on_hold(verb, step);
    } else if (verb == "states") {
        auto &states = *now->clients.at(text(step, "states")).states;
        auto seen = json_object_new_array();
        std::string last;
        while (last != text(step, "until")) {
            last = states.pop();
            json_object_array_add(seen, json_object_new_string(last.c_str()));
        }
        put(object.get(), "seen", seen);
    } else if (verb == "open") {
        auto options = connection_options;
        connected opened;
        opened.states = std::make_shared<told<std::string>>();
        options.on_state = [states = opened.states](quorate::state state) {
            states->push(word(state));
        };
        opened.client = std::make_unique<quorate::client>(options, soon);
        now->clients[client_name] = std::move(opened);
    } else {
        auto &connected = now->clients.at(client_name);
        auto &client = *connected.client;
        if (verb == "close") {
            // The handle is kept, to see what is said of a client that is closed.
            if (quorate_client_close(client.id(), LIMIT) != QUORATE_OK)
                FAIL("%s", quorate_error_message(quorate_last_error()));
        } else if (verb == "state") {
            put(object.get(), "state", json_object_new_string(word(client.state())));
        } else if (verb == "follow") {
            // The present state has been told, or is about to be.
            connected.states->pop();
            now->clients[text(step, "states")].states = connected.states;
        } else if (verb == "create") {
            auto [mode, ttl] = kind_of(step);
            auto created = client.create(path, data_of(step), mode, soon, ttl);
            put(object.get(), "path", json_object_new_string(created.path.c_str()));
            put(object.get(), "stat", stat_of(created.stat));
        } else if (verb == "set") {
            auto stat = client.set(path, data_of(step), version_of(step), soon);
            put(object.get(), "stat", stat_of(stat));
        } else if (verb == "delete") {
            client.remove(path, version_of(step), soon);
        } else if (verb == "sync") {
            client.sync(path, soon);
        } else if (verb == "await_children") {
            auto count = static_cast<size_t>(json_object_get_int(member(step, "count")));
            for (int waited = 0; client.children(path, soon).names.size() != count;
                 waited += 5) {
                if (waited > LIMIT)
                    FAIL("there are never so many children");
                std::this_thread::sleep_for(5ms);
            }
        } else if (verb == "multi") {
            return commit(client.multi(), step, 0);
        } else if (verb == "watch") {
            watching watch;
            auto recursive = json_object_get_boolean(member(step, "recursive")) != 0;
            watch.watch = client.watch(
                path,
                [events = watch.events](const quorate::event &event) { events->push(event); },
                recursive, soon);
            now->watches[text(step, "watch")] = std::move(watch);
        } else if (verb == "acquire" || verb == "lead") {
            auto work = [&client, &hold = now->holds[text(step, "hold")],
                         step = owned(json_object_get(step))] {
                try {
                    return take(client, hold, step);
                } catch (const quorate::error &error) {
                    return failed(error);
                }
            };
            auto name = text(step, "start");
            if (!name)
                return work();
            now->started[name] = std::async(std::launch::async, work);
        } else {
            return read(client, verb, step);
        }
    }
    return json_object_get(object.get());
}

json_object *do_step(json_object *step) {
    try {
        return run(text(step, "do"), step);
    } catch (const quorate::error &error) {
        return failed(error);
    }
}

void run_all(json_object *scenarios) {
    const auto home = "/cpp-" + std::to_string(getpid());
    quorate::client client(connection_options, soon);
    client.create(home);
    for (size_t i = 0; i < json_object_array_length(scenarios); i++) {
        auto scenario = json_object_array_get_idx(scenarios, i),
             steps = member(scenario, "steps");
        connection_options.root = home + "/" + text(scenario, "name");
        client.create(connection_options.root);
        forget_saved();
        now = std::make_unique<world>();
        for (size_t number = 0; number < json_object_array_length(steps); number++) {
            auto step = owned(filled_in(json_object_array_get_idx(steps, number)));
            auto result = owned(do_step(step.get()));
            judge(step.get(), result.get());
        }
        now.reset();
        connection_options.root.clear();
        std::puts(text(scenario, "name"));
    }
}

} // namespace

int main(int argc, char **argv) {
    auto scenarios = owned(argc == 2 ? json_object_from_file(argv[1]) : nullptr);
    if (!scenarios)
        FAIL("scenarios-cpp FILE: %s", json_util_get_last_err());
    if (auto servers = std::getenv("QUORATE_TEST_SERVERS")) {
        connection_options.servers = servers;
        run_all(scenarios.get());
    } else {
        quorate::server server;
        connection_options.servers = server.address();
        run_all(scenarios.get());
        quorate::server inside;
        connection_options.servers.clear();
        connection_options.server = &inside;
        run_all(scenarios.get());
    }
    forget_saved();
}
