/* Prints the layout of every struct, to be compared with layout.txt: what is there never
 * changes, new members come at the end. */
#include <quorate.h>
#include <stdio.h>

#define STRUCT(type) printf("%s: %zu bytes\n", #type, sizeof(type))
#define MEMBER(type, member)                                                                   \
    printf("  %s: %zu bytes at %zu\n", #member, sizeof(((type *)0)->member),                   \
           offsetof(type, member))

int main(void) {
    STRUCT(quorate_stat);
    MEMBER(quorate_stat, czxid);
    MEMBER(quorate_stat, mzxid);
    MEMBER(quorate_stat, pzxid);
    MEMBER(quorate_stat, ctime);
    MEMBER(quorate_stat, mtime);
    MEMBER(quorate_stat, ephemeral_owner);
    MEMBER(quorate_stat, version);
    MEMBER(quorate_stat, cversion);
    MEMBER(quorate_stat, aversion);
    MEMBER(quorate_stat, data_length);
    MEMBER(quorate_stat, num_children);
    MEMBER(quorate_stat, reserved);
    STRUCT(quorate_part);
    MEMBER(quorate_part, path);
    MEMBER(quorate_part, stat);
    STRUCT(quorate_result);
    MEMBER(quorate_result, size);
    MEMBER(quorate_result, memory);
    MEMBER(quorate_result, token);
    MEMBER(quorate_result, status);
    MEMBER(quorate_result, exists);
    MEMBER(quorate_result, error);
    MEMBER(quorate_result, handle);
    MEMBER(quorate_result, path);
    MEMBER(quorate_result, data);
    MEMBER(quorate_result, data_length);
    MEMBER(quorate_result, children);
    MEMBER(quorate_result, children_count);
    MEMBER(quorate_result, parts);
    MEMBER(quorate_result, parts_count);
    MEMBER(quorate_result, stat);
    STRUCT(quorate_client_options);
    MEMBER(quorate_client_options, size);
    MEMBER(quorate_client_options, servers);
    MEMBER(quorate_client_options, server);
    MEMBER(quorate_client_options, root);
    MEMBER(quorate_client_options, session_timeout_ms);
    MEMBER(quorate_client_options, session_id);
    MEMBER(quorate_client_options, session_password);
    MEMBER(quorate_client_options, session_password_length);
    MEMBER(quorate_client_options, read_only);
    MEMBER(quorate_client_options, no_renewal);
    MEMBER(quorate_client_options, polled);
    MEMBER(quorate_client_options, reserved);
    MEMBER(quorate_client_options, max_in_flight);
    MEMBER(quorate_client_options, completion);
    MEMBER(quorate_client_options, state);
    MEMBER(quorate_client_options, user);
    MEMBER(quorate_client_options, destroy);
    MEMBER(quorate_client_options, identities);
    MEMBER(quorate_client_options, identities_count);
    MEMBER(quorate_client_options, tls);
    STRUCT(quorate_identity);
    MEMBER(quorate_identity, scheme);
    MEMBER(quorate_identity, secret);
    MEMBER(quorate_identity, secret_length);
    STRUCT(quorate_tls_options);
    MEMBER(quorate_tls_options, size);
    MEMBER(quorate_tls_options, ca_file);
    MEMBER(quorate_tls_options, certificate_file);
    MEMBER(quorate_tls_options, key_file);
    MEMBER(quorate_tls_options, server_name);
    MEMBER(quorate_tls_options, any_name);
    MEMBER(quorate_tls_options, reserved);
    STRUCT(quorate_acl_entry);
    MEMBER(quorate_acl_entry, permissions);
    MEMBER(quorate_acl_entry, reserved);
    MEMBER(quorate_acl_entry, scheme);
    MEMBER(quorate_acl_entry, id);
    STRUCT(quorate_session);
    MEMBER(quorate_session, size);
    MEMBER(quorate_session, id);
    MEMBER(quorate_session, timeout_ms);
    MEMBER(quorate_session, password);
    STRUCT(quorate_election_options);
    MEMBER(quorate_election_options, size);
    MEMBER(quorate_election_options, policy);
    MEMBER(quorate_election_options, reserved);
    MEMBER(quorate_election_options, id);
    MEMBER(quorate_election_options, id_length);
    STRUCT(quorate_lock_options);
    MEMBER(quorate_lock_options, size);
    MEMBER(quorate_lock_options, layout);
    MEMBER(quorate_lock_options, reserved);
    MEMBER(quorate_lock_options, data);
    MEMBER(quorate_lock_options, data_length);
    STRUCT(quorate_create_options);
    MEMBER(quorate_create_options, size);
    MEMBER(quorate_create_options, mode);
    MEMBER(quorate_create_options, reserved);
    MEMBER(quorate_create_options, ttl_ms);
    MEMBER(quorate_create_options, acl);
    MEMBER(quorate_create_options, acl_count);
    STRUCT(quorate_server_options);
    MEMBER(quorate_server_options, size);
    MEMBER(quorate_server_options, data_dir);
    MEMBER(quorate_server_options, host);
    MEMBER(quorate_server_options, port);
    MEMBER(quorate_server_options, reserved);
    MEMBER(quorate_server_options, settings);
    STRUCT(quorate_event);
    MEMBER(quorate_event, kind);
    MEMBER(quorate_event, status);
    MEMBER(quorate_event, path);
    MEMBER(quorate_event, zxid);
    MEMBER(quorate_event, watch);
    STRUCT(quorate_watcher);
    MEMBER(quorate_watcher, size);
    MEMBER(quorate_watcher, event);
    MEMBER(quorate_watcher, user);
    MEMBER(quorate_watcher, destroy);
    return 0;
}
