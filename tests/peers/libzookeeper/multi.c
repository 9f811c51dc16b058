// Transactions of several operations: all or nothing, one zxid, results in order.

#include "harness.h"

void test_multi(void) {
    char root[64];
    char path[256], seq[256];
    struct Stat stat, first, second;
    zoo_op_t ops[6];
    zoo_op_result_t results[6];
    Recorder *session = new_recorder();
    zhandle_t *zh = open_session("", session, NULL);
    make_root(zh, "multi", root);
    const char *node = under(root, "n");
    const char *kid = under(node, "kid");
    zoo_create_op_init(&ops[0], node, "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path);
    zoo_create_op_init(&ops[1], under(node, "s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE,
                       seq, sizeof seq);
    zoo_check_op_init(&ops[2], node, 0);
    zoo_set_op_init(&ops[3], node, "two", 3, 0, &stat);
    zoo_create_op_init(&ops[4], kid, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0);
    zoo_delete_op_init(&ops[5], kid, 0);
    OK(zoo_multi(zh, 6, ops, results));
    for (int i = 0; i < 6; i++)
        OK(results[i].err);
    CHECK(strcmp(path, node) == 0 && strcmp(seq, under(node, "s-0000000000")) == 0);
    CHECK(stat.version == 1 && stat.czxid == stat.mzxid && stat.numChildren == 1);
    OK(zoo_exists(zh, node, 0, &first));
    OK(zoo_exists(zh, seq, 0, &second));
    CHECK(first.czxid == second.czxid && first.cversion == 3 && first.pzxid == first.czxid);
    // Asynchronously, with a watch that it fires.
    Recorder *watch = new_recorder();
    Result *done = new_result();
    OK(zoo_wexists(zh, node, record, watch, NULL));
    zoo_delete_op_init(&ops[0], seq, -1);
    zoo_delete_op_init(&ops[1], node, 1);
    OK(zoo_amulti(zh, 2, ops, results, done_void, done));
    expect_done(done, ZOK);
    expect_event(watch, ZOO_DELETED_EVENT, node);
    // Nothing at all is a transaction too.
    OK(zoo_multi(zh, 0, ops, results));
    OK(zookeeper_close(zh));
}

void test_failed_multi(void) {
    char root[64];
    char path[256];
    struct Stat stat, after;
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    Recorder *session = new_recorder();
    Recorder *watch = new_recorder();
    zhandle_t *zh = open_session("", session, NULL);
    make_root(zh, "failed-multi", root);
    OK(zoo_wexists(zh, root, record, watch, &stat));
    zoo_create_op_init(&ops[0], under(root, "a"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path,
                       sizeof path);
    zoo_set_op_init(&ops[1], root, "never", 5, -1, NULL);
    zoo_delete_op_init(&ops[2], under(root, "missing"), -1);
    zoo_check_op_init(&ops[3], root, 0);
    RC(ZNONODE, zoo_multi(zh, 4, ops, results));
    OK(results[0].err);
    OK(results[1].err);
    RC(ZNONODE, results[2].err);
    RC(ZRUNTIMEINCONSISTENCY, results[3].err);
    zoo_check_op_init(&ops[0], root, 3);
    zoo_create_op_init(&ops[1], under(root, "a"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path,
                       sizeof path);
    Result *done = new_result();
    OK(zoo_amulti(zh, 2, ops, results, done_void, done));
    expect_done(done, ZBADVERSION);
    RC(ZBADVERSION, results[0].err);
    RC(ZRUNTIMEINCONSISTENCY, results[1].err);
    expect_no_event(zh, watch);
    OK(zoo_exists(zh, root, 0, &after));
    CHECK(memcmp(&stat, &after, sizeof stat) == 0);
    // The counter for sequential names has not moved either.
    OK(zoo_create(zh, under(root, "s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, path,
                  sizeof path));
    CHECK(strcmp(path, under(root, "s-0000000000")) == 0);
    OK(zookeeper_close(zh));
}
