// Asynchronous calls: every one once, and the order of many completions.

#include "harness.h"

void test_async(void) {
    char root[64];
    Recorder *session = new_recorder();
    zhandle_t *zh = open_session("", session, NULL);
    make_root(zh, "async", root);
    const char *node = under(root, "n");
    struct ACL_vector *open = &ZOO_OPEN_ACL_UNSAFE;
    Result *create = new_result(), *create2 = new_result(), *ttl = new_result();
    Result *ttl2 = new_result(), *exists = new_result(), *get = new_result();
    Result *set = new_result(), *list = new_result(), *list2 = new_result();
    Result *sync = new_result(), *acl = new_result(), *set_acl = new_result();
    Result *gone = new_result(), *missing = new_result();
    // All at once: the server answers them in order, each seeing the ones before.
    OK(zoo_acreate(zh, node, "data", 4, open, 0, done_string, create));
    OK(zoo_acreate2(zh, under(node, "s-"), "", 0, open, ZOO_SEQUENCE, done_string_stat,
                    create2));
    OK(zoo_acreate_ttl(zh, under(node, "t"), "", 0, open, ZOO_PERSISTENT_WITH_TTL, 3600000,
                       done_string, ttl));
    OK(zoo_acreate2_ttl(zh, under(node, "u"), "", 0, open, ZOO_PERSISTENT_WITH_TTL, 3600000,
                        done_string_stat, ttl2));
    OK(zoo_aexists(zh, node, 0, done_stat, exists));
    OK(zoo_aget(zh, node, 0, done_data, get));
    OK(zoo_aset(zh, node, "more data", 9, 0, done_stat, set));
    OK(zoo_aget_children(zh, node, 0, done_strings, list));
    OK(zoo_aget_children2(zh, node, 0, done_strings_stat, list2));
    OK(zoo_async(zh, node, done_string, sync));
    OK(zoo_aset_acl(zh, node, 0, &ZOO_READ_ACL_UNSAFE, done_void, set_acl));
    OK(zoo_aget_acl(zh, node, done_acl, acl));
    OK(zoo_adelete(zh, under(root, "none"), -1, done_void, missing));
    expect_done(create, ZOK);
    CHECK(strcmp(create->text, node) == 0);
    expect_done(create2, ZOK);
    CHECK(strcmp(create2->text, under(node, "s-0000000000")) == 0);
    CHECK(create2->stat.czxid > 0 && create2->stat.version == 0);
    expect_done(ttl, ZOK);
    expect_done(ttl2, ZOK);
    CHECK(strcmp(ttl2->text, under(node, "u")) == 0 && ttl2->stat.czxid > create2->stat.czxid);
    expect_done(exists, ZOK);
    CHECK(exists->stat.dataLength == 4 && exists->stat.numChildren == 3);
    expect_done(get, ZOK);
    CHECK(get->length == 4 && strcmp(get->text, "data") == 0);
    expect_done(set, ZOK);
    CHECK(set->stat.version == 1 && set->stat.dataLength == 9);
    expect_done(list, ZOK);
    CHECK(list->children == 3);
    expect_done(list2, ZOK);
    CHECK(list2->children == 3 && list2->stat.cversion == 3);
    expect_done(sync, ZOK);
    CHECK(strcmp(sync->text, node) == 0);
    expect_done(set_acl, ZOK);
    expect_done(acl, ZOK);
    CHECK(acl->children == 1 && acl->first_perms == ZOO_PERM_READ && acl->stat.aversion == 1);
    expect_done(missing, ZNONODE);
    // The node's ACL lets nobody delete below it any more. (Asked only now: Apache judges
    // requests in flight by the ACL before.)
    OK(zoo_adelete(zh, under(node, "t"), 0, done_void, gone));
    expect_done(gone, ZNOAUTH);
    OK(zookeeper_close(zh));
}

void test_async_order(void) {
    enum { COUNT = 600 };
    char root[64];
    Recorder *session = new_recorder();
    zhandle_t *zh = open_session("", session, NULL);
    make_root(zh, "order", root);
    Result **results = calloc(COUNT, sizeof *results);
    for (int i = 0; i < COUNT; i++) {
        results[i] = new_result();
        if (i % 3 == 0)
            OK(zoo_acreate(zh, under(root, "s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE,
                           done_string, results[i]));
        else if (i % 3 == 1)
            OK(zoo_aset(zh, root, "x", 1, i / 3, done_stat, results[i]));
        else
            OK(zoo_aexists(zh, root, 0, done_stat, results[i]));
    }
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        expect_done(results[i], ZOK);
        CHECK(i == 0 || results[i]->order == results[i - 1]->order + 1);
        snprintf(name, sizeof name, "s-%010d", i / 3);
        if (i % 3 == 0)
            CHECK(strcmp(results[i]->text, under(root, name)) == 0);
        else if (i % 3 == 1)
            CHECK(results[i]->stat.version == i / 3 + 1);
        else
            CHECK(results[i]->stat.numChildren == i / 3 + 1);
    }
    OK(zookeeper_close(zh));
}
