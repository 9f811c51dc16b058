// Synchronous calls on nodes: every create, read, write and delete, and their errors.

#include "harness.h"

static void check_text(zhandle_t *zh, const char *path, const char *expected) {
    char buffer[256];
    int length = sizeof buffer;
    OK(zoo_get(zh, path, 0, buffer, &length, NULL));
    CHECK(length == (int)strlen(expected) && memcmp(buffer, expected, strlen(expected)) == 0);
}

static void check_kinds(zhandle_t *zh, const char *root) {
    char path[256];
    struct Stat stat;
    const char *seq = under(root, "seq-");
    OK(zoo_create(zh, under(root, "p"), "data", 4, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, path,
                  sizeof path));
    CHECK(strcmp(path, under(root, "p")) == 0);
    OK(zoo_create(zh, seq, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL, path,
                  sizeof path));
    CHECK(strcmp(path, under(root, "seq-0000000001")) == 0);
    OK(zoo_create(zh, seq, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, path, sizeof path));
    CHECK(strcmp(path, under(root, "seq-0000000002")) == 0);
    OK(zoo_create(zh, under(root, "e"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
    OK(zoo_exists(zh, under(root, "e"), 0, &stat));
    CHECK(stat.ephemeralOwner == zoo_client_id(zh)->client_id);
    OK(zoo_create2(zh, seq, "12", 2, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, path,
                   sizeof path, &stat));
    CHECK(strcmp(path, under(root, "seq-0000000004")) == 0);
    CHECK(stat.ephemeralOwner == zoo_client_id(zh)->client_id);
    CHECK(stat.version == 0 && stat.dataLength == 2 && stat.czxid == stat.mzxid);
    OK(zoo_create2(zh, under(root, "null"), NULL, -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT,
                   path, sizeof path, &stat));
    int length = sizeof path;
    OK(zoo_get(zh, under(root, "null"), 0, path, &length, &stat));
    CHECK(length == -1 && stat.dataLength == 0);
}

static void check_versions(zhandle_t *zh, const char *node) {
    struct Stat before, after;
    char buffer[8];
    int length = sizeof buffer;
    OK(zoo_exists(zh, node, 0, &before));
    OK(zoo_set(zh, node, "one", 3, 0));
    OK(zoo_set2(zh, node, "twotwo", 6, 1, &after));
    CHECK(after.version == 2 && after.dataLength == 6 && after.mzxid > before.mzxid);
    CHECK(after.czxid == before.czxid && after.mtime >= before.mtime);
    RC(ZBADVERSION, zoo_set(zh, node, "x", 1, 1));
    RC(ZBADVERSION, zoo_set2(zh, node, "x", 1, 3, &after));
    OK(zoo_set(zh, node, "0123456789", 10, -1));
    OK(zoo_wget(zh, node, NULL, NULL, buffer, &length, &after));
    // A buffer that is too small is filled; the Stat tells the full length.
    CHECK(length == 8 && memcmp(buffer, "01234567", 8) == 0);
    CHECK(after.dataLength == 10 && after.version == 3);
}

static void check_children(zhandle_t *zh, const char *root) {
    struct String_vector children = {0, NULL};
    struct Stat stat;
    OK(zoo_get_children(zh, root, 0, &children));
    CHECK(children.count == 6);
    deallocate_String_vector(&children);
    OK(zoo_get_children2(zh, root, 0, &children, &stat));
    CHECK(children.count == 6 && stat.numChildren == 6 && stat.cversion == 6);
    deallocate_String_vector(&children);
    OK(zoo_wget_children(zh, under(root, "p"), NULL, NULL, &children));
    CHECK(children.count == 0);
    OK(zoo_wget_children2(zh, root, NULL, NULL, &children, &stat));
    CHECK(children.count == 6);
    deallocate_String_vector(&children);
}

void test_nodes(void) {
    char root[64];
    Recorder *session = new_recorder();
    zhandle_t *zh = open_session("", session, NULL);
    make_root(zh, "nodes", root);
    check_kinds(zh, root);
    check_text(zh, under(root, "p"), "data");
    check_versions(zh, under(root, "p"));
    check_children(zh, root);
    OK(zoo_delete(zh, under(root, "p"), 3));
    OK(zoo_delete(zh, under(root, "e"), -1));
    RC(ZNONODE, zoo_exists(zh, under(root, "p"), 0, NULL));
    static char large[900 * 1024];
    static char back[sizeof large];
    int length = sizeof back;
    memset(large, 'x', sizeof large);
    OK(zoo_create(zh, under(root, "large"), large, sizeof large, &ZOO_OPEN_ACL_UNSAFE, 0, NULL,
                  0));
    OK(zoo_get(zh, under(root, "large"), 0, back, &length, NULL));
    CHECK(length == sizeof large && memcmp(large, back, sizeof large) == 0);
    OK(zookeeper_close(zh));
}

void test_errors(void) {
    char root[64];
    char buffer[64];
    int length = sizeof buffer;
    struct Stat stat;
    struct String_vector children;
    struct ACL_vector acl;
    Recorder *session = new_recorder();
    zhandle_t *zh = open_session("", session, NULL);
    make_root(zh, "errors", root);
    const char *missing = under(root, "missing");
    const char *ephemeral = under(root, "e");
    RC(ZNODEEXISTS, zoo_create(zh, root, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    RC(ZNONODE, zoo_create(zh, under(missing, "x"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    RC(ZBADARGUMENTS, zoo_create(zh, "relative", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    RC(ZBADARGUMENTS, zoo_create(zh, under(root, ""), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    OK(zoo_create(zh, ephemeral, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
    RC(ZNOCHILDRENFOREPHEMERALS,
       zoo_create(zh, under(ephemeral, "x"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    RC(ZNOTEMPTY, zoo_delete(zh, root, -1));
    RC(ZBADVERSION, zoo_delete(zh, root, 5));
    RC(ZNONODE, zoo_delete(zh, missing, -1));
    RC(ZBADARGUMENTS, zoo_delete(zh, "/", -1));
    RC(ZNONODE, zoo_set(zh, missing, "", 0, -1));
    RC(ZNONODE, zoo_set2(zh, missing, "", 0, -1, &stat));
    RC(ZNONODE, zoo_get(zh, missing, 0, buffer, &length, &stat));
    RC(ZNONODE, zoo_get_children(zh, missing, 0, &children));
    RC(ZNONODE, zoo_get_children2(zh, missing, 0, &children, &stat));
    RC(ZNONODE, zoo_get_acl(zh, missing, &acl, &stat));
    RC(ZNONODE, zoo_set_acl(zh, missing, -1, &ZOO_OPEN_ACL_UNSAFE));
    RC(ZNONODE, zoo_exists(zh, missing, 0, &stat));
    OK(zookeeper_close(zh));
}

void test_ttl_and_containers(void) {
    char root[64];
    char path[256];
    struct Stat stat;
    Recorder *session = new_recorder();
    Recorder *watch = new_recorder();
    zhandle_t *zh = open_session("", session, NULL);
    make_root(zh, "ttl", root);
    const char *box = under(root, "box");
    const char *kid = under(box, "kid");
    OK(zoo_create_ttl(zh, under(root, "t"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                      ZOO_PERSISTENT_WITH_TTL, 3600000, path, sizeof path));
    OK(zoo_create2_ttl(zh, under(root, "t-"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                       ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 3600000, path, sizeof path, &stat));
    CHECK(strcmp(path, under(root, "t-0000000001")) == 0 && stat.numChildren == 0);
    RC(ZBADARGUMENTS, zoo_create_ttl(zh, under(root, "bad"), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                                     ZOO_PERSISTENT_WITH_TTL, 0, NULL, 0));
    OK(zoo_create(zh, box, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, NULL, 0));
    OK(zoo_create(zh, kid, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    OK(zoo_wexists(zh, box, record, watch, &stat));
    OK(zoo_delete(zh, kid, -1));
    // The server's reaper removes it; a server that never does ends in the deadline.
    expect_event(watch, ZOO_DELETED_EVENT, box);
    const char *brief = under(root, "brief");
    OK(zoo_create_ttl(zh, brief, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 200,
                      NULL, 0));
    OK(zoo_wexists(zh, brief, record, watch, NULL));
    expect_event(watch, ZOO_DELETED_EVENT, brief);
    OK(zoo_exists(zh, under(root, "t"), 0, NULL));
    OK(zookeeper_close(zh));
}
