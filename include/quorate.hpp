// quorate in C++17: move-only handles over quorate.h, with exceptions or without.
//
// Operations exist twice. `client.get("/a")` throws quorate::error; `client.try_get("/a")`
// returns quorate::result, which has either the value or the error. Those that wait for a
// server have a third form: `client.get_async("/a")` returns quorate::pending, and does not
// block. Handles close themselves; what can fail when they do is asked with the function of its
// own (close, release, leave). Time limits are std::chrono durations; quorate::forever is none.
//
// Callbacks are std::function, which the handle owns until nothing calls it any more. They run
// on a thread of the client's own, and may call everything. An exception that leaves one ends
// there: it is given to quorate::on_exception, which does nothing unless it is set.
#ifndef QUORATE_HPP
#define QUORATE_HPP

#include "quorate_base.hpp"
#include "quorate_pending.hpp"

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quorate {
namespace detail {

/// A client is waited for until nothing calls back any more: what callbacks know may be gone
/// afterwards.
inline int32_t close_client(uint64_t id) { return quorate_client_close(id, forever.count()); }
/// Other destructors do not wait for long: what is not done by then is done in the background.
inline constexpr int64_t patience = 5000;
inline int32_t release_held(uint64_t id) { return quorate_held_release(id, patience); }
inline int32_t leave_election(uint64_t id) { return quorate_election_leave(id, patience); }

} // namespace detail

/// Kinds of nodes.
enum class mode : int32_t {
    persistent = QUORATE_PERSISTENT,
    ephemeral = QUORATE_EPHEMERAL,
    persistent_sequential = QUORATE_PERSISTENT_SEQUENTIAL,
    ephemeral_sequential = QUORATE_EPHEMERAL_SEQUENTIAL,
    container = QUORATE_CONTAINER,
    persistent_ttl = QUORATE_PERSISTENT_TTL,
    persistent_sequential_ttl = QUORATE_PERSISTENT_SEQUENTIAL_TTL,
};

enum class state : int32_t {
    connecting = QUORATE_STATE_CONNECTING,
    connected = QUORATE_STATE_CONNECTED,
    read_only = QUORATE_STATE_READ_ONLY,
    suspended = QUORATE_STATE_SUSPENDED,
    lost = QUORATE_STATE_LOST,
    closed = QUORATE_STATE_CLOSED,
    auth_failed = QUORATE_STATE_AUTH_FAILED,
};

enum class event_kind : int32_t {
    created = QUORATE_EVENT_CREATED,
    deleted = QUORATE_EVENT_DELETED,
    changed = QUORATE_EVENT_CHANGED,
    children = QUORATE_EVENT_CHILDREN,
    missed = QUORATE_EVENT_MISSED,
    ended = QUORATE_EVENT_ENDED,
};

/// What happened to a watched node.
struct event {
    event_kind kind;
    std::string path;
    int64_t zxid;
    /// ended: why.
    int32_t status;
};

struct created {
    std::string path;
    quorate::stat stat;
};

struct node {
    std::string data;
    quorate::stat stat;
};

struct listing {
    std::vector<std::string> names;
    quorate::stat stat;
};

/// What one part of a multi did: a path for create, a stat for create and set.
struct part {
    std::string path;
    quorate::stat stat;
};

/// A session's id and password.
using session = quorate_session;

/// Who a client is: `digest` and `user:password`, for example.
struct identity {
    std::string scheme, secret;
};

/// Who may do what with a node: QUORATE_PERMISSION_…, added up.
struct acl_entry {
    int32_t permissions;
    std::string scheme, id{};
};

/// Empty: everybody, everything.
using acl = std::vector<acl_entry>;

/// Files in PEM, and names.
struct tls {
    /// The certificates that are trusted.
    std::string ca_file;
    /// The client's own; empty for none.
    std::string certificate_file{}, key_file{};
    /// The name in the servers' certificates; empty for the host of the connection string.
    std::string server_name{};
    bool any_name = false;
};

namespace detail {

inline const char *given(const std::string &text) {
    return text.empty() ? nullptr : text.c_str();
}

/// quorate_create_options, with what they point to.
struct creation {
    quorate_create_options raw{};
    std::vector<quorate_acl_entry> entries{};

    creation(mode as, limit ttl, const acl &allowed) {
        for (const acl_entry &entry : allowed)
            entries.push_back({entry.permissions, 0, entry.scheme.c_str(), entry.id.c_str()});
        raw.size = sizeof raw;
        raw.mode = static_cast<int32_t>(as);
        raw.ttl_ms = ttl.count();
        raw.acl = entries.data();
        raw.acl_count = entries.size();
    }
    creation(const creation &) = delete;
    creation &operator=(const creation &) = delete;
};

} // namespace detail

/// A server in this process; stopped when it goes.
class server {
  public:
    struct options {
        /// Empty: everything in memory.
        std::string data_dir{};
        /// QUORATE_PORT_FREE, QUORATE_PORT_NONE, or a number.
        int32_t port = QUORATE_PORT_FREE;
        std::string host = "127.0.0.1";
        /// Lines of zoo.cfg.
        std::string settings{};
    };

    server() : server(options{}) {}
    explicit server(const options &with) : server(try_start(with).value()) {}

    static result<server> try_start(const options &with) {
        quorate_server_options raw{};
        raw.size = sizeof raw;
        raw.data_dir = detail::given(with.data_dir);
        raw.host = with.host.c_str();
        raw.port = with.port;
        raw.settings = with.settings.c_str();
        quorate_server_t id = 0;
        return detail::checked<server>(quorate_server_start(&raw, &id),
                                       [&] { return server(id); });
    }

    /// Where it listens; empty when it has no port.
    std::string address() const {
        char text[64];
        return quorate_server_address(id(), text, sizeof text) == QUORATE_OK ? text : "";
    }
    result<done> try_stop() { return detail::checked(quorate_server_stop(handle_.release())); }
    void stop() { try_stop().value(); }
    quorate_server_t id() const noexcept { return handle_.get(); }

  private:
    explicit server(quorate_server_t id) : handle_(id) {}
    detail::handle<quorate_server_stop> handle_;
};

/// Writes that happen all or not at all.
class multi {
  public:
    explicit multi(quorate_multi_t id) : handle_(id) {}

    multi &create(const std::string &path, std::string_view data = {},
                  quorate::mode as = quorate::mode::persistent, limit ttl = limit::zero(),
                  const acl &allowed = {}) {
        detail::creation options(as, ttl, allowed);
        return added(quorate_multi_create(handle_.get(), path.c_str(), detail::bytes(data),
                                          data.size(), &options.raw));
    }
    multi &set(const std::string &path, std::string_view data, int32_t version = any_version) {
        return added(quorate_multi_set(handle_.get(), path.c_str(), detail::bytes(data),
                                       data.size(), version));
    }
    multi &remove(const std::string &path, int32_t version = any_version) {
        return added(quorate_multi_delete(handle_.get(), path.c_str(), version));
    }
    multi &check(const std::string &path, int32_t version = any_version) {
        return added(quorate_multi_check(handle_.get(), path.c_str(), version));
    }

    /// Carries it out; it is used up then. An argument that was refused before is told now.
    result<std::vector<part>> try_commit(limit within = forever) {
        if (wrong_) {
            handle_.reset();
            return *std::exchange(wrong_, std::nullopt);
        }
        detail::answer answer;
        auto status = quorate_multi_commit(handle_.release(), within.count(), &answer.raw);
        return detail::checked<std::vector<part>>(status, [&] { return parts_of(answer.raw); });
    }
    std::vector<part> commit(limit within = forever) { return try_commit(within).value(); }
    pending<std::vector<part>> commit_async() {
        if (wrong_) {
            handle_.reset();
            return detail::refused<std::vector<part>>(*std::exchange(wrong_, std::nullopt));
        }
        return detail::submitted(parts_of, [&](uint64_t token, quorate_call_t *) {
            return quorate_multi_commit_async(handle_.release(), token);
        });
    }

  private:
    static std::vector<part> parts_of(const quorate_result &raw) {
        std::vector<part> parts;
        for (size_t i = 0; i < raw.parts_count; i++) {
            const quorate_part *from = raw.parts[i];
            parts.push_back({from->path ? from->path : "", from->stat});
        }
        return parts;
    }
    multi &added(int32_t status) {
        if (status != QUORATE_OK && !wrong_)
            wrong_ = detail::last();
        return *this;
    }
    detail::handle<quorate_multi_close> handle_;
    std::optional<error> wrong_;
};

/// A watch; ends when it goes.
class watch {
  public:
    watch() = default;
    explicit watch(quorate_watch_t id) : handle_(id) {}
    void close() noexcept { handle_.reset(); }

  private:
    detail::handle<quorate_watch_close> handle_;
};

/// A lock that is held: released when this goes.
class held_lock {
  public:
    explicit held_lock(quorate_held_t id) : handle_(id) {}

    result<int64_t> try_token() const {
        int64_t token = 0;
        return detail::checked<int64_t>(quorate_held_token(id(), &token),
                                        [&] { return token; });
    }
    int64_t token() const { return try_token().value(); }
    /// The lock's node.
    result<std::string> try_path() const {
        std::string path(4096, '\0');
        auto status = quorate_held_path(id(), path.data(), path.size());
        return detail::checked<std::string>(status, [&] {
            path.resize(std::strlen(path.c_str()));
            return path;
        });
    }
    std::string path() const { return try_path().value(); }
    bool is_held() const noexcept { return quorate_held_check(id()) == QUORATE_OK; }
    /// Calls `lost` once when it is lost, with QUORATE_LOST_…
    result<done> try_on_lost(std::function<void(int32_t)> lost) {
        using F = std::function<void(int32_t)>;
        auto call = [](void *user, int32_t reason) {
            detail::contained([&] { (*static_cast<F *>(user))(reason); });
        };
        return detail::checked(
            quorate_held_on_lost(id(), call, new F(std::move(lost)), detail::destroy<F>));
    }
    void on_lost(std::function<void(int32_t)> lost) { try_on_lost(std::move(lost)).value(); }
    /// Waits until it is lost; false when it is still held after that time.
    result<bool> try_wait_lost(limit within = forever) const {
        return detail::ended(quorate_held_wait_lost(id(), within.count(), nullptr));
    }
    bool wait_lost(limit within = forever) const { return try_wait_lost(within).value(); }
    /// Writes that happen only while it is held.
    result<quorate::multi> try_guarded() const {
        quorate_multi_t multi = 0;
        return detail::checked<quorate::multi>(quorate_held_guarded(id(), &multi),
                                               [&] { return quorate::multi(multi); });
    }
    quorate::multi guarded() const { return try_guarded().value(); }
    result<done> try_release(limit within = forever) {
        return detail::checked(quorate_held_release(handle_.release(), within.count()));
    }
    void release(limit within = forever) { try_release(within).value(); }
    quorate_held_t id() const noexcept { return handle_.get(); }

  private:
    detail::handle<detail::release_held> handle_;
};

/// A term in which a candidate leads. The candidate goes on to lead when this goes.
class term {
  public:
    explicit term(quorate_term_t id) : handle_(id) {}

    result<int64_t> try_token() const {
        int64_t token = 0;
        return detail::checked<int64_t>(quorate_term_token(id(), &token),
                                        [&] { return token; });
    }
    int64_t token() const { return try_token().value(); }
    bool holds() const noexcept { return quorate_term_check(id()) == QUORATE_OK; }
    /// Calls `lost` once when the term is over.
    result<done> try_on_lost(std::function<void()> lost) {
        using F = std::function<void()>;
        auto call = [](void *user, int32_t) {
            detail::contained([&] { (*static_cast<F *>(user))(); });
        };
        return detail::checked(
            quorate_term_on_lost(id(), call, new F(std::move(lost)), detail::destroy<F>));
    }
    void on_lost(std::function<void()> lost) { try_on_lost(std::move(lost)).value(); }
    /// Waits until the term is over; false when it goes on after that time.
    result<bool> try_wait_lost(limit within = forever) const {
        return detail::ended(quorate_term_wait_lost(id(), within.count()));
    }
    bool wait_lost(limit within = forever) const { return try_wait_lost(within).value(); }
    /// Writes that happen only while the leader's node exists.
    result<quorate::multi> try_guarded() const {
        quorate_multi_t multi = 0;
        return detail::checked<quorate::multi>(quorate_term_guarded(id(), &multi),
                                               [&] { return quorate::multi(multi); });
    }
    quorate::multi guarded() const { return try_guarded().value(); }
    quorate_term_t id() const noexcept { return handle_.get(); }

  private:
    detail::handle<quorate_term_close> handle_;
};

/// A candidate: leaves, and steps down if it leads, when this goes.
class election {
  public:
    explicit election(quorate_election_t id) : handle_(id) {}

    result<term> try_lead(limit within = forever) {
        quorate_term_t id = 0;
        return detail::checked<term>(quorate_election_lead(handle_.get(), within.count(), &id),
                                     [&] { return term(id); });
    }
    term lead(limit within = forever) { return try_lead(within).value(); }
    /// The same without waiting. Cancelled or dropped, it is still a candidate.
    pending<term> lead_async(limit within = forever) {
        auto led = [](const quorate_result &raw) { return term(raw.handle); };
        return detail::submitted<term>(led, [&](uint64_t token, quorate_call_t *call) {
            return quorate_election_lead_async(handle_.get(), within.count(), token, call);
        });
    }
    result<bool> try_is_leader() const {
        int32_t leads = 0;
        return detail::checked<bool>(quorate_election_is_leader(handle_.get(), &leads),
                                     [&] { return leads != 0; });
    }
    bool is_leader() const { return try_is_leader().value(); }
    result<done> try_leave(limit within = forever) {
        return detail::checked(quorate_election_leave(handle_.release(), within.count()));
    }
    void leave(limit within = forever) { try_leave(within).value(); }

  private:
    detail::handle<detail::leave_election> handle_;
};

/// A session with a ZooKeeper service; closed when this goes.
class client {
  public:
    struct options {
        /// A connection string; or a server in this process.
        std::string servers{};
        const quorate::server *server = nullptr;
        std::string root{};
        limit session_timeout{0};
        /// A session to resume.
        std::optional<quorate::session> resume{};
        bool read_only = false;
        bool renew = true;
        std::vector<identity> identities{};
        std::optional<quorate::tls> tls{};
        std::function<void(quorate::state)> on_state{};
    };

    /// Connects, and waits for the session.
    explicit client(const options &with, limit within = std::chrono::seconds(30))
        : client(try_connect(with, within).value()) {}
    explicit client(const std::string &servers, limit within = std::chrono::seconds(30))
        : client(to(servers), within) {}
    explicit client(const quorate::server &server, limit within = std::chrono::seconds(30))
        : client(to(server), within) {}

    static result<client> try_connect(const options &with,
                                      limit within = std::chrono::seconds(30)) {
        using F = std::function<void(quorate::state)>;
        quorate_client_options raw{};
        raw.size = sizeof raw;
        raw.servers = detail::given(with.servers);
        raw.server = with.server ? with.server->id() : 0;
        raw.root = detail::given(with.root);
        raw.session_timeout_ms = with.session_timeout.count();
        if (with.resume) {
            raw.session_id = with.resume->id;
            raw.session_password = with.resume->password;
            raw.session_password_length = sizeof with.resume->password;
        }
        raw.read_only = with.read_only;
        raw.no_renewal = !with.renew;
        std::vector<quorate_identity> identities;
        for (const identity &own : with.identities)
            identities.push_back(
                {own.scheme.c_str(), detail::bytes(own.secret), own.secret.size()});
        raw.identities = identities.data();
        raw.identities_count = identities.size();
        quorate_tls_options tls{};
        if (with.tls) {
            tls.size = sizeof tls;
            tls.ca_file = detail::given(with.tls->ca_file);
            tls.certificate_file = detail::given(with.tls->certificate_file);
            tls.key_file = detail::given(with.tls->key_file);
            tls.server_name = detail::given(with.tls->server_name);
            tls.any_name = with.tls->any_name;
            raw.tls = &tls;
        }
        if (with.on_state) {
            raw.state = [](void *user, int32_t state) {
                detail::contained(
                    [&] { (*static_cast<F *>(user))(static_cast<quorate::state>(state)); });
            };
            raw.user = new F(with.on_state);
            raw.destroy = detail::destroy<F>;
        }
        raw.completion = detail::finished;
        quorate_client_t id = 0;
        return detail::checked<client>(quorate_client_connect(&raw, within.count(), &id),
                                       [&] { return client(id); });
    }

    quorate::state state() const {
        int32_t state = QUORATE_STATE_CLOSED;
        quorate_client_state(id(), &state);
        return static_cast<quorate::state>(state);
    }
    result<quorate::session> try_session() const {
        quorate::session session{};
        session.size = sizeof session;
        return detail::checked<quorate::session>(quorate_client_session(id(), &session),
                                                 [&] { return session; });
    }
    quorate::session session() const { return try_session().value(); }
    result<done> try_close(limit within = forever) {
        return detail::checked(quorate_client_close(handle_.release(), within.count()));
    }
    void close(limit within = forever) { try_close(within).value(); }
    /// Ends without telling the server: the session can be resumed.
    result<done> try_abandon(limit within = forever) {
        return detail::checked(quorate_client_abandon(handle_.release(), within.count()));
    }
    void abandon(limit within = forever) { try_abandon(within).value(); }

    result<created> try_create(const std::string &path, std::string_view data = {},
                               quorate::mode as = quorate::mode::persistent,
                               limit within = forever, limit ttl = limit::zero(),
                               const acl &allowed = {}) {
        detail::creation options(as, ttl, allowed);
        detail::answer answer;
        auto status = quorate_create(id(), path.c_str(), detail::bytes(data), data.size(),
                                     &options.raw, within.count(), &answer.raw);
        return detail::checked<created>(status, [&] { return created_of(answer.raw); });
    }
    created create(const std::string &path, std::string_view data = {},
                   quorate::mode as = quorate::mode::persistent, limit within = forever,
                   limit ttl = limit::zero(), const acl &allowed = {}) {
        return try_create(path, data, as, within, ttl, allowed).value();
    }

    pending<created> create_async(const std::string &path, std::string_view data = {},
                                  quorate::mode as = quorate::mode::persistent,
                                  limit ttl = limit::zero(), const acl &allowed = {}) {
        detail::creation options(as, ttl, allowed);
        return detail::submitted(created_of, [&](uint64_t token, quorate_call_t *) {
            return quorate_create_async(id(), path.c_str(), detail::bytes(data), data.size(),
                                        &options.raw, token);
        });
    }

    result<node> try_get(const std::string &path, limit within = forever) {
        detail::answer answer;
        auto status = quorate_get(id(), path.c_str(), within.count(), &answer.raw);
        return detail::checked<node>(status, [&] { return node_of(answer.raw); });
    }
    node get(const std::string &path, limit within = forever) {
        return try_get(path, within).value();
    }

    pending<node> get_async(const std::string &path) {
        return detail::submitted(node_of, [&](uint64_t token, quorate_call_t *) {
            return quorate_get_async(id(), path.c_str(), token);
        });
    }

    result<quorate::stat> try_set(const std::string &path, std::string_view data,
                                  int32_t version = any_version, limit within = forever) {
        detail::answer answer;
        auto status = quorate_set(id(), path.c_str(), detail::bytes(data), data.size(), version,
                                  within.count(), &answer.raw);
        return detail::checked<quorate::stat>(status, [&] { return answer.raw.stat; });
    }
    quorate::stat set(const std::string &path, std::string_view data,
                      int32_t version = any_version, limit within = forever) {
        return try_set(path, data, version, within).value();
    }

    pending<quorate::stat> set_async(const std::string &path, std::string_view data,
                                     int32_t version = any_version) {
        return detail::submitted(changed_of, [&](uint64_t token, quorate_call_t *) {
            return quorate_set_async(id(), path.c_str(), detail::bytes(data), data.size(),
                                     version, token);
        });
    }

    result<done> try_remove(const std::string &path, int32_t version = any_version,
                            limit within = forever) {
        return detail::checked(quorate_delete(id(), path.c_str(), version, within.count()));
    }
    void remove(const std::string &path, int32_t version = any_version,
                limit within = forever) {
        try_remove(path, version, within).value();
    }

    pending<done> remove_async(const std::string &path, int32_t version = any_version) {
        return detail::submitted(done_of, [&](uint64_t token, quorate_call_t *) {
            return quorate_delete_async(id(), path.c_str(), version, token);
        });
    }

    /// The stat of a node, if there is such a node.
    result<std::optional<quorate::stat>> try_exists(const std::string &path,
                                                    limit within = forever) {
        detail::answer answer;
        auto status = quorate_exists(id(), path.c_str(), within.count(), &answer.raw);
        return detail::checked<std::optional<quorate::stat>>(
            status, [&] { return stat_of(answer.raw); });
    }
    std::optional<quorate::stat> exists(const std::string &path, limit within = forever) {
        return try_exists(path, within).value();
    }

    pending<std::optional<quorate::stat>> exists_async(const std::string &path) {
        return detail::submitted(stat_of, [&](uint64_t token, quorate_call_t *) {
            return quorate_exists_async(id(), path.c_str(), token);
        });
    }

    result<listing> try_children(const std::string &path, limit within = forever) {
        detail::answer answer;
        auto status = quorate_children(id(), path.c_str(), within.count(), &answer.raw);
        return detail::checked<listing>(status, [&] { return listing_of(answer.raw); });
    }
    listing children(const std::string &path, limit within = forever) {
        return try_children(path, within).value();
    }

    pending<listing> children_async(const std::string &path) {
        return detail::submitted(listing_of, [&](uint64_t token, quorate_call_t *) {
            return quorate_children_async(id(), path.c_str(), token);
        });
    }

    result<done> try_sync(const std::string &path, limit within = forever) {
        return detail::checked(quorate_sync(id(), path.c_str(), within.count()));
    }
    void sync(const std::string &path, limit within = forever) {
        try_sync(path, within).value();
    }

    pending<done> sync_async(const std::string &path) {
        return detail::submitted(done_of, [&](uint64_t token, quorate_call_t *) {
            return quorate_sync_async(id(), path.c_str(), token);
        });
    }

    result<quorate::multi> try_multi() {
        quorate_multi_t multi = 0;
        return detail::checked<quorate::multi>(quorate_multi_open(id(), &multi),
                                               [&] { return quorate::multi(multi); });
    }
    quorate::multi multi() { return try_multi().value(); }

    using on_event = std::function<void(const event &)>;

    /// A persistent watch.
    result<quorate::watch> try_watch(const std::string &path, on_event call,
                                     bool recursive = false, limit within = forever) {
        auto watcher = watcher_of(std::move(call));
        quorate_watch_t watch = 0;
        auto mode = recursive ? QUORATE_WATCH_RECURSIVE : QUORATE_WATCH_NODE;
        auto status = quorate_watch(id(), path.c_str(), mode, &watcher, within.count(), &watch);
        return detail::checked<quorate::watch>(status, [&] { return quorate::watch(watch); });
    }
    quorate::watch watch(const std::string &path, on_event call, bool recursive = false,
                         limit within = forever) {
        return try_watch(path, std::move(call), recursive, within).value();
    }

    /// Reads that leave a one-shot watch.
    result<std::pair<node, quorate::watch>>
    try_get_and_watch(const std::string &path, on_event call, limit within = forever) {
        return watched<node>(quorate_get_and_watch, path, std::move(call), within, node_of);
    }
    std::pair<node, quorate::watch> get_and_watch(const std::string &path, on_event call,
                                                  limit within = forever) {
        return try_get_and_watch(path, std::move(call), within).value();
    }
    result<std::pair<std::optional<quorate::stat>, quorate::watch>>
    try_exists_and_watch(const std::string &path, on_event call, limit within = forever) {
        return watched<std::optional<quorate::stat>>(quorate_exists_and_watch, path,
                                                     std::move(call), within, stat_of);
    }
    std::pair<std::optional<quorate::stat>, quorate::watch>
    exists_and_watch(const std::string &path, on_event call, limit within = forever) {
        return try_exists_and_watch(path, std::move(call), within).value();
    }
    result<std::pair<listing, quorate::watch>>
    try_children_and_watch(const std::string &path, on_event call, limit within = forever) {
        return watched<listing>(quorate_children_and_watch, path, std::move(call), within,
                                listing_of);
    }
    std::pair<listing, quorate::watch>
    children_and_watch(const std::string &path, on_event call, limit within = forever) {
        return try_children_and_watch(path, std::move(call), within).value();
    }

    /// Takes the lock at `path`: waits until it is held.
    result<held_lock> try_lock(const std::string &path, limit within = forever,
                               std::string_view data = {}) {
        return locked(quorate_lock_acquire, path, within, data);
    }
    held_lock lock(const std::string &path, limit within = forever,
                   std::string_view data = {}) {
        return try_lock(path, within, data).value();
    }
    /// The same without waiting. Cancelled or dropped, it leaves no node behind.
    pending<held_lock> lock_async(const std::string &path, limit within = forever,
                                  std::string_view data = {}) {
        auto options = lock_options(data);
        return detail::submitted(held_of, [&](uint64_t token, quorate_call_t *call) {
            return quorate_lock_acquire_async(id(), path.c_str(), &options, within.count(),
                                              token, call);
        });
    }
    /// Takes it if nobody holds it or waits for it; otherwise the code is QUORATE_BUSY.
    result<held_lock> try_lock_now(const std::string &path, limit within = forever,
                                   std::string_view data = {}) {
        return locked(quorate_lock_try_acquire, path, within, data);
    }

    /// Takes part in the election at `path`.
    result<quorate::election> try_stand(const std::string &path, std::string_view name = {}) {
        quorate_election_options options{};
        options.size = sizeof options;
        options.id = detail::bytes(name);
        options.id_length = name.size();
        quorate_election_t election = 0;
        return detail::checked<quorate::election>(
            quorate_election_join(id(), path.c_str(), &options, &election),
            [&] { return quorate::election(election); });
    }
    quorate::election stand(const std::string &path, std::string_view name = {}) {
        return try_stand(path, name).value();
    }

    /// The handle, for the functions of quorate.h.
    quorate_client_t id() const noexcept { return handle_.get(); }

  private:
    explicit client(quorate_client_t id) : handle_(id) {}

    static options to(const std::string &servers) {
        options with;
        with.servers = servers;
        return with;
    }
    static options to(const quorate::server &server) {
        options with;
        with.server = &server;
        return with;
    }

    static quorate_lock_options lock_options(std::string_view data) {
        quorate_lock_options options{};
        options.size = sizeof options;
        options.data = detail::bytes(data);
        options.data_length = data.size();
        return options;
    }

    static done done_of(const quorate_result &) { return {}; }
    static created created_of(const quorate_result &raw) { return {raw.path, raw.stat}; }
    static quorate::stat changed_of(const quorate_result &raw) { return raw.stat; }
    static held_lock held_of(const quorate_result &raw) { return held_lock(raw.handle); }
    static node node_of(const quorate_result &raw) {
        return {std::string(reinterpret_cast<const char *>(raw.data), raw.data_length),
                raw.stat};
    }
    static std::optional<quorate::stat> stat_of(const quorate_result &raw) {
        return raw.exists ? std::optional<quorate::stat>(raw.stat) : std::nullopt;
    }
    static listing listing_of(const quorate_result &raw) {
        return {std::vector<std::string>(raw.children, raw.children + raw.children_count),
                raw.stat};
    }

    static quorate_watcher watcher_of(on_event call) {
        quorate_watcher watcher{};
        watcher.size = sizeof watcher;
        watcher.event = [](void *user, const quorate_event *from) {
            detail::contained([&] {
                event told{static_cast<event_kind>(from->kind), from->path, from->zxid,
                           from->status};
                (*static_cast<on_event *>(user))(told);
            });
        };
        watcher.user = new on_event(std::move(call));
        watcher.destroy = detail::destroy<on_event>;
        return watcher;
    }

    using watching = int32_t (*)(quorate_client_t, const char *, const quorate_watcher *,
                                 int64_t, quorate_result *);
    template <class T>
    result<std::pair<T, quorate::watch>> watched(watching read, const std::string &path,
                                                 on_event call, limit within,
                                                 T (*value)(const quorate_result &)) {
        auto watcher = watcher_of(std::move(call));
        detail::answer answer;
        auto status = read(id(), path.c_str(), &watcher, within.count(), &answer.raw);
        return detail::checked<std::pair<T, quorate::watch>>(status, [&] {
            return std::make_pair(value(answer.raw), quorate::watch(answer.raw.handle));
        });
    }

    using locking = int32_t (*)(quorate_client_t, const char *, const quorate_lock_options *,
                                int64_t, quorate_held_t *);
    result<held_lock> locked(locking take, const std::string &path, limit within,
                             std::string_view data) {
        auto options = lock_options(data);
        quorate_held_t held = 0;
        return detail::checked<held_lock>(
            take(id(), path.c_str(), &options, within.count(), &held),
            [&] { return held_lock(held); });
    }

    detail::handle<detail::close_client> handle_;
};

} // namespace quorate

#endif
