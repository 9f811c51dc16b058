// ACLs and identities: reading, changing, checking, adding and failing to add.

#include "harness.h"

static void check_scheme(zhandle_t *zh, const char *path, const char *scheme, int32_t perms,
                         const char *id) {
    struct ACL_vector acl;
    struct Stat stat;
    OK(zoo_get_acl(zh, path, &acl, &stat));
    CHECK(acl.count == 1 && acl.data[0].perms == perms);
    CHECK(strcmp(acl.data[0].id.scheme, scheme) == 0);
    CHECK(strcmp(acl.data[0].id.id, id) == 0);
    deallocate_ACL_vector(&acl);
}

// user:BASE64(SHA1("user:secret"))
#define USER_DIGEST "user:5w9W4eL3797Y4Wq8AcKUPPk8ha4="

static void add_digest(zhandle_t *zh, const char *identity) {
    Result *done = new_result();
    OK(zoo_add_auth(zh, "digest", identity, (int)strlen(identity), done_void, done));
    expect_done(done, ZOK);
}

void test_access(void) {
    char root[64];
    char buffer[16];
    int length = sizeof buffer;
    struct ACL narrow_entry = {ZOO_PERM_READ | ZOO_PERM_ADMIN, {"world", "anyone"}};
    struct ACL bad_entry = {ZOO_PERM_ALL, {"nosuch", "x"}};
    struct ACL_vector narrow = {1, &narrow_entry}, bad = {1, &bad_entry};
    zhandle_t *zh = open_session("", new_recorder(), NULL);
    zhandle_t *stranger = open_session("", new_recorder(), NULL);
    make_root(zh, "access", root);
    const char *mine = under(root, "mine"), *node = under(root, "n");
    check_scheme(zh, root, "world", ZOO_PERM_ALL, "anyone");
    OK(zoo_create(zh, node, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    RC(ZBADVERSION, zoo_set_acl(zh, node, 3, &narrow));
    OK(zoo_set_acl(zh, node, 0, &narrow));
    check_scheme(zh, node, "world", ZOO_PERM_READ | ZOO_PERM_ADMIN, "anyone");
    RC(ZNOAUTH, zoo_set(zh, node, "", 0, -1));
    RC(ZNOAUTH, zoo_create(zh, under(node, "kid"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    OK(zoo_set_acl(zh, node, 1, &ZOO_OPEN_ACL_UNSAFE));
    RC(ZINVALIDACL, zoo_set_acl(zh, node, -1, &bad));
    RC(ZINVALIDACL, zoo_create(zh, mine, "", 0, &bad, 0, NULL, 0));
    RC(ZINVALIDACL, zoo_create(zh, mine, "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    add_digest(zh, "user:secret");
    OK(zoo_create(zh, mine, "x", 1, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    check_scheme(zh, mine, "digest", ZOO_PERM_ALL, USER_DIGEST);
    OK(zoo_get(zh, mine, 0, buffer, &length, NULL));
    RC(ZNOAUTH, zoo_get(stranger, mine, 0, buffer, &length, NULL));
    RC(ZNOAUTH, zoo_set(stranger, mine, "y", 1, -1));
    RC(ZNOAUTH, zoo_set_acl(stranger, mine, -1, &ZOO_OPEN_ACL_UNSAFE));
    RC(ZNOAUTH, zoo_get_children(stranger, mine, 0, &(struct String_vector){0, NULL}));
    struct ACL_vector hidden;
    RC(ZNOAUTH, zoo_get_acl(stranger, mine, &hidden, NULL));
    add_digest(stranger, "user:wrong");
    RC(ZNOAUTH, zoo_get(stranger, mine, 0, buffer, &length, NULL));
    // Identities add up: the wrong one does not stand in the way of the right one.
    add_digest(stranger, "user:secret");
    OK(zoo_get(stranger, mine, 0, buffer, &length, NULL));
    add_digest(stranger, "super:test");
    struct ACL_vector none = {0, NULL};
    RC(ZINVALIDACL, zoo_set_acl(stranger, mine, -1, &none));
    OK(zoo_delete(stranger, mine, -1));
    OK(zookeeper_close(stranger));
    OK(zookeeper_close(zh));
}

void test_failed_auth(void) {
    char root[64];
    Recorder *session = new_recorder();
    zhandle_t *zh = open_session("", session, NULL);
    make_root(zh, "failed-auth", root);
    Result *done = new_result();
    OK(zoo_add_auth(zh, "nosuch", "x", 1, done_void, done));
    expect_done(done, ZAUTHFAILED);
    expect_session_event(session, ZOO_AUTH_FAILED_STATE);
    RC(ZOO_AUTH_FAILED_STATE, zoo_state(zh));
    RC(ZINVALIDSTATE, is_unrecoverable(zh));
    RC(ZINVALIDSTATE, zoo_exists(zh, root, 0, NULL));
    zookeeper_close(zh);
    // The server goes on serving others.
    zh = open_session("", new_recorder(), NULL);
    OK(zoo_exists(zh, root, 0, NULL));
    OK(zookeeper_close(zh));
}
