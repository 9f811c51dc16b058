// Sessions and handles: identity, timeouts, resuming, losing, chroot, configuration.

#include "harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

void test_session(void) {
    char root[64];
    Recorder *session = new_recorder();
    zhandle_t *zh = open_session("", session, NULL);
    zhandle_t *other = open_session("", new_recorder(), NULL);
    make_root(zh, "session", root);
    CHECK(zoo_client_id(zh)->client_id != 0);
    CHECK(zoo_client_id(zh)->client_id != zoo_client_id(other)->client_id);
    OK(is_unrecoverable(zh));
    // The server's limits are 1 s (2 ticks) and 10 s (20 ticks) in this test.
    CHECK(zoo_recv_timeout(zh) == 10000);
    zhandle_t *brief = zookeeper_init(address, record, 10, NULL, session, 0);
    expect_session_event(session, ZOO_CONNECTED_STATE);
    CHECK(zoo_recv_timeout(brief) == 1000);
    OK(zookeeper_close(brief));
    zhandle_t *tall = zookeeper_init(address, record, 600000, NULL, session, 0);
    expect_session_event(session, ZOO_CONNECTED_STATE);
    CHECK(zoo_recv_timeout(tall) == 10000);
    OK(zookeeper_close(tall));
    // Closing removes ephemerals at once and for everybody.
    const char *ephemeral = under(root, "e");
    OK(zoo_create(other, ephemeral, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
    OK(zoo_exists(zh, ephemeral, 0, NULL));
    OK(zookeeper_close(other));
    RC(ZNONODE, zoo_exists(zh, ephemeral, 0, NULL));
    OK(zookeeper_close(zh));
}

// Opens a session in a child process, creates `path` as its ephemeral and tells the
// parent its id through a pipe. The child then runs `after` and ends without closing.
static pid_t open_elsewhere(const char *path, int timeout_ms, void (*after)(Recorder *),
                            clientid_t *id) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        Recorder *recorder = new_recorder();
        zhandle_t *zh = zookeeper_init(address, record, timeout_ms, NULL, recorder, 0);
        expect_session_event(recorder, ZOO_CONNECTED_STATE);
        OK(zoo_create(zh, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
        clientid_t own = *zoo_client_id(zh);
        CHECK(write(ends[1], &own, sizeof own) == sizeof own);
        if (after)
            after(recorder);
        _exit(0);
    }
    CHECK(read(ends[0], id, sizeof *id) == sizeof *id);
    return child;
}

static void expect_clean_exit(pid_t child) {
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void test_session_resume(void) {
    struct Stat stat;
    clientid_t id;
    const char *ephemeral = "/c-resume";
    expect_clean_exit(open_elsewhere(ephemeral, 10000, NULL, &id));
    // The process is gone, its session is not; whoever has the password goes on with it.
    zhandle_t *zh = open_session("", new_recorder(), &id);
    CHECK(zoo_client_id(zh)->client_id == id.client_id);
    CHECK(memcmp(zoo_client_id(zh)->passwd, id.passwd, sizeof id.passwd) == 0);
    OK(zoo_exists(zh, ephemeral, 0, &stat));
    CHECK(stat.ephemeralOwner == id.client_id);
    OK(zookeeper_close(zh));
    zh = open_session("", new_recorder(), NULL);
    RC(ZNONODE, zoo_exists(zh, ephemeral, 0, NULL));
    OK(zookeeper_close(zh));
}

static void await_expiry(Recorder *recorder) {
    expect_session_event(recorder, ZOO_EXPIRED_SESSION_STATE);
}

void test_session_expiry(void) {
    clientid_t id;
    const char *ephemeral = "/c-expiry";
    Recorder *watch = new_recorder();
    pid_t child = open_elsewhere(ephemeral, 1000, await_expiry, &id);
    zhandle_t *zh = open_session("", new_recorder(), NULL);
    OK(zoo_wexists(zh, ephemeral, record, watch, NULL));
    // A client that stands still sends no heartbeat.
    CHECK(kill(child, SIGSTOP) == 0);
    expect_event(watch, ZOO_DELETED_EVENT, ephemeral);
    CHECK(kill(child, SIGCONT) == 0);
    expect_clean_exit(child);
    OK(zookeeper_close(zh));
}

static void expect_refused(const clientid_t *id) {
    Recorder *recorder = new_recorder();
    zhandle_t *zh = zookeeper_init(address, record, 10000, id, recorder, 0);
    CHECK(zh);
    expect_session_event(recorder, ZOO_EXPIRED_SESSION_STATE);
    RC(ZOO_EXPIRED_SESSION_STATE, zoo_state(zh));
    RC(ZINVALIDSTATE, is_unrecoverable(zh));
    RC(ZINVALIDSTATE, zoo_exists(zh, "/", 0, NULL));
    zookeeper_close(zh);
}

void test_session_lost(void) {
    Recorder *recorder = new_recorder();
    zhandle_t *zh = open_session("", recorder, NULL);
    clientid_t wrong = *zoo_client_id(zh), unknown = *zoo_client_id(zh);
    wrong.passwd[0] ^= 0x5a;
    unknown.client_id ^= 0x0f0f0f;
    expect_refused(&wrong);
    expect_refused(&unknown);
    // Neither attempt has harmed the real owner.
    OK(zoo_exists(zh, "/", 0, NULL));
    clientid_t closed = *zoo_client_id(zh);
    OK(zookeeper_close(zh));
    expect_refused(&closed);
}

void test_chroot(void) {
    char root[64];
    char path[256];
    char buffer[16];
    int length = sizeof buffer;
    struct String_vector children;
    Recorder *session = new_recorder(), *watch = new_recorder();
    zhandle_t *zh = open_session("", new_recorder(), NULL);
    make_root(zh, "chroot", root);
    zhandle_t *inner = open_session(root, session, NULL);
    OK(zoo_create(inner, "/a", "x", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
    CHECK(strcmp(path, "/a") == 0);
    OK(zoo_create(inner, "/a/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, path,
                  sizeof path));
    CHECK(strcmp(path, "/a/s-0000000000") == 0);
    OK(zoo_exists(zh, under(root, "a/s-0000000000"), 0, NULL));
    OK(zoo_get_children(inner, "/", 0, &children));
    CHECK(children.count == 1 && strcmp(children.data[0], "a") == 0);
    deallocate_String_vector(&children);
    OK(zoo_wget(inner, "/a", record, watch, buffer, &length, NULL));
    OK(zoo_set(zh, under(root, "a"), "y", 1, -1));
    expect_event(watch, ZOO_CHANGED_EVENT, "/a");
    OK(zookeeper_close(inner));
    OK(zookeeper_close(zh));
}

void test_config(void) {
    char buffer[4096];
    int length = sizeof buffer;
    struct Stat stat;
    Recorder *watch = new_recorder();
    zhandle_t *zh = open_session("", new_recorder(), NULL);
    // A standalone server has the node, without a configuration in it.
    OK(zoo_getconfig(zh, 0, buffer, &length, &stat));
    CHECK(length <= 0 && stat.dataLength == 0 && stat.aversion == -1);
    OK(zoo_wgetconfig(zh, record, watch, buffer, &length, &stat));
    Result *get = new_result(), *watched = new_result();
    OK(zoo_agetconfig(zh, 0, done_data, get));
    OK(zoo_awgetconfig(zh, record, watch, done_data, watched));
    expect_done(get, ZOK);
    expect_done(watched, ZOK);
    length = sizeof buffer;
    RC(ZRECONFIGDISABLED,
       zoo_reconfig(zh, "server.9=127.0.0.1:1:2;3", NULL, NULL, -1, buffer, &length, &stat));
    Result *reconfig = new_result();
    OK(zoo_areconfig(zh, NULL, "9", NULL, -1, done_data, reconfig));
    expect_done(reconfig, ZRECONFIGDISABLED);
    OK(zookeeper_close(zh));
}

static int logged;

static void count_log(const char *message) {
    (void)message;
    logged++;
}

void test_handle(void) {
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    char host[64];
    Recorder *recorder = new_recorder();
    zoo_set_log_stream(stderr);
    zoo_deterministic_conn_order(1);
    zhandle_t *zh = zookeeper_init2(address, record, 5000, NULL, recorder, 0, count_log);
    CHECK(zh);
    expect_session_event(recorder, ZOO_CONNECTED_STATE);
    CHECK(zoo_recv_timeout(zh) == 5000);
    CHECK(zoo_get_log_callback(zh) == count_log);
    zoo_set_log_callback(zh, NULL);
    CHECK(zoo_get_log_callback(zh) == NULL);
    CHECK(zookeeper_get_connected_host(zh, (struct sockaddr *)&peer, &size));
    snprintf(host, sizeof host, "%s:%d", inet_ntoa(peer.sin_addr), ntohs(peer.sin_port));
    CHECK(strcmp(host, address) == 0);
    CHECK(strcmp(zoo_get_current_server(zh), address) == 0);
    // The same list again keeps the connection; the next server is the only server.
    int64_t id = zoo_client_id(zh)->client_id;
    OK(zoo_set_servers(zh, address));
    OK(zoo_set_servers_resolution_delay(zh, 1000));
    zoo_cycle_next_server(zh);
    OK(zoo_exists(zh, "/", 0, NULL));
    CHECK(zoo_client_id(zh)->client_id == id);
    OK(zookeeper_close(zh));
}
