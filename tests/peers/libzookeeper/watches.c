// Watches: through the global watcher and through watchers of their own, set by every
// call that can set one, fired by every change, and removed.

#include "harness.h"

// A node `name` below `root` that exists.
static const char *make(zhandle_t *zh, const char *root, const char *name) {
    const char *path = under(root, name);
    OK(zoo_create(zh, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    return path;
}

void test_watches(void) {
    char root[64];
    char buffer[16];
    int length = sizeof buffer;
    struct Stat stat;
    struct String_vector children;
    Recorder *global = new_recorder();
    Recorder *data = new_recorder(), *exist = new_recorder(), *list = new_recorder();
    zhandle_t *zh = open_session("", global, NULL);
    make_root(zh, "watches", root);
    const char *node = under(root, "n");
    // The flag of the plain calls means the handle's global watcher.
    RC(ZNONODE, zoo_exists(zh, node, 1, &stat));
    OK(zoo_get_children(zh, root, 1, &children));
    make(zh, root, "n");
    expect_event(global, ZOO_CREATED_EVENT, node);
    expect_event(global, ZOO_CHILD_EVENT, root);
    OK(zoo_get(zh, node, 1, buffer, &length, &stat));
    OK(zoo_set(zh, node, "1", 1, -1));
    expect_event(global, ZOO_CHANGED_EVENT, node);
    OK(zoo_set(zh, node, "2", 1, -1));
    expect_no_event(zh, global);
    OK(zoo_get_children2(zh, node, 1, &children, &stat));
    make(zh, node, "kid");
    expect_event(global, ZOO_CHILD_EVENT, node);
    // Watchers of their own, all on one node; a deletion tells each once.
    OK(zoo_delete(zh, under(node, "kid"), -1));
    OK(zoo_wexists(zh, node, record, exist, &stat));
    OK(zoo_wget(zh, node, record, data, buffer, &length, &stat));
    OK(zoo_wget_children(zh, node, record, list, &children));
    OK(zoo_wget_children2(zh, root, record, list, &children, &stat));
    OK(zoo_delete(zh, node, -1));
    expect_event(exist, ZOO_DELETED_EVENT, node);
    expect_event(data, ZOO_DELETED_EVENT, node);
    expect_event(list, ZOO_DELETED_EVENT, node);
    expect_event(list, ZOO_CHILD_EVENT, root);
    // What did not succeed left no watch, exists on a missing node did.
    RC(ZNONODE, zoo_wget(zh, node, record, data, buffer, &length, &stat));
    RC(ZNONODE, zoo_wget_children(zh, node, record, list, &children));
    RC(ZNONODE, zoo_wexists(zh, node, record, exist, &stat));
    make(zh, root, "n");
    expect_event(exist, ZOO_CREATED_EVENT, node);
    OK(zoo_set_acl(zh, node, -1, &ZOO_READ_ACL_UNSAFE));
    expect_no_event(zh, data);
    expect_no_event(zh, list);
    expect_no_event(zh, global);
    OK(zookeeper_close(zh));
}

void test_async_watches(void) {
    char root[64];
    Recorder *global = new_recorder();
    Recorder *own = new_recorder(), *replaced = new_recorder();
    zhandle_t *zh = open_session("", global, NULL);
    make_root(zh, "async-watches", root);
    const char *node = make(zh, root, "n");
    Result *exists = new_result(), *get = new_result();
    Result *list = new_result(), *list2 = new_result();
    OK(zoo_awexists(zh, node, record, own, done_stat, exists));
    OK(zoo_awget(zh, root, record, own, done_data, get));
    OK(zoo_awget_children(zh, node, record, own, done_strings, list));
    OK(zoo_awget_children2(zh, root, record, own, done_strings_stat, list2));
    expect_done(list2, ZOK);
    CHECK(list2->children == 1 && strcmp(list2->text, "n") == 0);
    OK(zoo_set(zh, node, "", 0, -1));
    expect_event(own, ZOO_CHANGED_EVENT, node);
    OK(zoo_set(zh, root, "", 0, -1));
    expect_event(own, ZOO_CHANGED_EVENT, root);
    make(zh, node, "kid");
    expect_event(own, ZOO_CHILD_EVENT, node);
    make(zh, root, "second");
    expect_event(own, ZOO_CHILD_EVENT, root);
    // Another session's change, and a new global watcher with a new context.
    zhandle_t *other = open_session("", new_recorder(), NULL);
    CHECK(zoo_set_watcher(zh, record) == record);
    zoo_set_context(zh, replaced);
    CHECK(zoo_get_context(zh) == replaced);
    Result *flagged = new_result();
    OK(zoo_aget(zh, node, 1, done_data, flagged));
    expect_done(flagged, ZOK);
    OK(zoo_set(other, node, "by another", 10, -1));
    expect_event(replaced, ZOO_CHANGED_EVENT, node);
    expect_no_event(zh, own);
    // An ephemeral of a session that closes.
    const char *ephemeral = under(root, "e");
    OK(zoo_create(other, ephemeral, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
    OK(zoo_wexists(zh, ephemeral, record, own, NULL));
    OK(zookeeper_close(other));
    expect_event(own, ZOO_DELETED_EVENT, ephemeral);
    OK(zookeeper_close(zh));
}

void test_remove_watches(void) {
    char root[64];
    struct Stat stat;
    struct String_vector children;
    Recorder *global = new_recorder();
    Recorder *one = new_recorder(), *two = new_recorder(), *list = new_recorder();
    zhandle_t *zh = open_session("", global, NULL);
    make_root(zh, "remove-watches", root);
    OK(zoo_wexists(zh, root, record, one, &stat));
    OK(zoo_wexists(zh, root, record, two, &stat));
    OK(zoo_wget_children(zh, root, record, list, &children));
    // One of two data watchers: the other still hears.
    OK(zoo_remove_watches(zh, root, ZWATCHTYPE_DATA, record, one, 0));
    OK(zoo_set(zh, root, "1", 1, -1));
    expect_event(two, ZOO_CHANGED_EVENT, root);
    expect_no_event(zh, one);
    // A watcher that is not there.
    RC(ZNOWATCHER, zoo_remove_watches(zh, root, ZWATCHTYPE_DATA, record, one, 0));
    RC(ZNOWATCHER, zoo_remove_all_watches(zh, root, ZWATCHTYPE_DATA, 0));
    // The child watch was left alone until now.
    Result *removed = new_result();
    OK(zoo_aremove_watches(zh, root, ZWATCHTYPE_CHILD, record, list, 0,
                           (void_completion_t *)done_void, removed));
    expect_done(removed, ZOK);
    make(zh, root, "kid");
    expect_no_event(zh, list);
    // All kinds and all watchers at once, each way.
    OK(zoo_wexists(zh, root, record, one, &stat));
    OK(zoo_wget_children(zh, root, record, list, &children));
    OK(zoo_remove_all_watches(zh, root, ZWATCHTYPE_ANY, 0));
    OK(zoo_wexists(zh, root, record, two, &stat));
    Result *all = new_result();
    OK(zoo_aremove_all_watches(zh, root, ZWATCHTYPE_ANY, 0, (void_completion_t *)done_void,
                               all));
    expect_done(all, ZOK);
    OK(zoo_set(zh, root, "2", 1, -1));
    make(zh, root, "kid2");
    expect_no_event(zh, one);
    expect_no_event(zh, two);
    expect_no_event(zh, list);
    OK(zookeeper_close(zh));
}
