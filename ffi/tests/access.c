/* Identities, ACLs, TLS. */
#include "check.h"

static quorate_client_t connect_as(const char *secret) {
    quorate_identity identity = {"digest", BYTES(secret)};
    quorate_client_options options = {
        .size = sizeof options, .identities = &identity, .identities_count = 1};
    return connect_with(&options);
}

void test_access(void) {
    quorate_client_t plain = connect_plainly(), owner = connect_as("own:er"),
                     other = connect_as("oth:er");
    quorate_acl_entry acl[] = {
        {.permissions = QUORATE_PERMISSION_ALL, .scheme = "auth"},
        {.permissions = QUORATE_PERMISSION_READ, .scheme = "world", .id = "anyone"}};
    quorate_create_options options = {.size = sizeof options, .acl = acl, .acl_count = 1};
    quorate_multi_t multi;
    empty(plain, "/c-access");

    /* The owner's alone, and for everybody to read. */
    OK(quorate_create(owner, "/c-access/own", BYTES("x"), &options, LIMIT, NULL));
    options.acl_count = 2;
    OK(quorate_multi_open(owner, &multi));
    OK(quorate_multi_create(multi, "/c-access/shown", BYTES("y"), &options));
    OK(quorate_multi_commit(multi, LIMIT, NULL));
    OK(quorate_get(owner, "/c-access/own", LIMIT, NULL));
    CHECK_STATUS(quorate_get(other, "/c-access/own", LIMIT, NULL), QUORATE_NO_AUTH);
    CHECK_STATUS(quorate_get(plain, "/c-access/own", LIMIT, NULL), QUORATE_NO_AUTH);
    OK(quorate_get(plain, "/c-access/shown", LIMIT, NULL));
    CHECK_STATUS(quorate_set(other, "/c-access/shown", NULL, 0, -1, LIMIT, NULL),
                 QUORATE_NO_AUTH);
    OK(quorate_set(owner, "/c-access/shown", NULL, 0, -1, LIMIT, NULL));

    /* Not without an identity, and not with rubbish. */
    CHECK_STATUS(quorate_create(plain, "/c-access/no", NULL, 0, &options, LIMIT, NULL),
                 QUORATE_INVALID_ACL);
    acl[1].scheme = NULL;
    CHECK_STATUS(quorate_create(owner, "/c-access/no", NULL, 0, &options, LIMIT, NULL),
                 QUORATE_INVALID_ARGUMENT);
    acl[1].scheme = "world";
    acl[1].reserved = 1;
    CHECK_STATUS(quorate_create(owner, "/c-access/no", NULL, 0, &options, LIMIT, NULL),
                 QUORATE_INVALID_ARGUMENT);
    options.acl = NULL;
    CHECK_STATUS(quorate_create(owner, "/c-access/no", NULL, 0, &options, LIMIT, NULL),
                 QUORATE_INVALID_ARGUMENT);

    /* TLS that cannot be. */
    quorate_client_t none;
    quorate_tls_options tls = {.size = sizeof tls};
    quorate_client_options encrypted = {
        .size = sizeof encrypted, .servers = "127.0.0.1:1", .tls = &tls};
    CHECK_STATUS(quorate_client_open(&encrypted, &none), QUORATE_BAD_ARGUMENTS);
    tls.ca_file = "/dev/null/ca.pem";
    CHECK_STATUS(quorate_client_open(&encrypted, &none), QUORATE_BAD_ARGUMENTS);
    CHECK(strstr(quorate_error_message(quorate_last_error()), "/dev/null/ca.pem") != NULL);
    tls.key_file = "/dev/null/key.pem";
    CHECK_STATUS(quorate_client_open(&encrypted, &none), QUORATE_INVALID_ARGUMENT);
    tls.size = 1;
    CHECK_STATUS(quorate_client_open(&encrypted, &none), QUORATE_INVALID_ARGUMENT);

    OK(quorate_delete(owner, "/c-access/own", -1, LIMIT));
    OK(quorate_client_close(plain, LIMIT));
    OK(quorate_client_close(owner, LIMIT));
    OK(quorate_client_close(other, LIMIT));
}
