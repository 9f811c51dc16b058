//! Every name of the administrator's guide and of the classes that read it is in the table.
//!
//! The names are those of `zookeeperAdmin.md` and of `zookeeper-server`, Apache ZooKeeper 3.9.4,
//! with the few that 3.9.5 and 3.10 added; names only.

use crate::config::keys;

#[test]
fn the_table_has_every_key_of_the_guide() {
    let listed = [GUIDE, PROPERTIES, CLASSES].join(" ");
    let names: Vec<&str> = listed.split_whitespace().collect();
    assert!(names.len() > 270, "the lists are complete: {}", names.len());
    for name in names {
        let key = keys::find(name).unwrap_or_else(|| panic!("no key for `{name}`"));
        let bare = name.trim_start_matches("zookeeper.");
        let by_family = FAMILIES.iter().any(|family| bare.starts_with(family));
        assert!(
            by_family || key.names().any(|known| known == bare),
            "`{name}` has no row of its own"
        );
    }
}

/// Where one row stands for any number of names.
const FAMILIES: &[&str] = &[
    "server.",
    "group.",
    "weight.",
    "authProvider.",
    "superUser.",
    "quorum.auth.",
    "jvm.pause.",
    "jmx.log4j.",
    "pathStats.",
    "sasl.client",
    "kerberos.minReLoginTimeMs",
];

/// Headings of the guide, without the sections on clients.
const GUIDE: &str = "
    clientPort secureClientPort observerMasterPort dataDir tickTime dataLogDir
    globalOutstandingLimit preAllocSize snapCount commitLogCount snapSizeLimitInKb
    txnLogSizeLimitInKb maxCnxns maxClientCnxns clientPortAddress minSessionTimeout
    maxSessionTimeout fsync.warningthresholdms maxResponseCacheSize
    maxGetChildrenResponseCacheSize autopurge.snapRetainCount autopurge.purgeInterval syncEnabled
    extendedTypesEnabled emulate353TTLNodes watchManagerName watcherCleanThreadsNum
    watcherCleanThreshold watcherCleanIntervalInSeconds maxInProcessingDeadWatchers
    bitHashCacheSize fastleader.minNotificationInterval fastleader.maxNotificationInterval
    connectionMaxTokens connectionTokenFillTime connectionTokenFillCount connectionFreezeTime
    connectionDropIncrease connectionDropDecrease connectionDecreaseRatio
    zookeeper.connection_throttle_weight_enabled
    zookeeper.connection_throttle_global_session_weight
    zookeeper.connection_throttle_local_session_weight
    zookeeper.connection_throttle_renew_session_weight clientPortListenBacklog serverCnxnFactory
    flushDelay maxWriteQueuePollTime maxBatchSize enforceQuota requestThrottleLimit
    requestThrottleStallTime requestThrottleDropStale requestStaleLatencyCheck
    requestStaleConnectionCheck zookeeper.request_throttler.shutdownTimeout
    advancedFlowControlEnabled enableEagerACLCheck maxConcurrentSnapSyncs maxConcurrentDiffSyncs
    digest.enabled snapshot.compression.method snapshot.trust.empty audit.enable audit.impl.class
    largeRequestMaxBytes largeRequestThreshold outstandingHandshake.limit
    netty.server.earlyDropSecureConnectionHandshakes throttledOpWaitTime learner.closeSocketAsync
    leader.closeSocketAsync learner.asyncSending
    forward_learner_requests_to_commit_processor_disabled serializeLastProcessedZxid.enabled
    electionAlg maxTimeToWaitForEpoch initLimit connectToLearnerMasterLimit leaderServes server.x
    syncLimit group.x weight.x cnxTimeout quorumCnxnTimeoutMs standaloneEnabled reconfigEnabled
    4lw.commands.whitelist tcpKeepAlive clientTcpKeepAlive electionPortBindRetry
    observer.reconnectDelayMs observer.election.DelayMs localSessionsEnabled
    localSessionsUpgradingEnabled DigestAuthenticationProvider.enabled
    DigestAuthenticationProvider.superDigest DigestAuthenticationProvider.digestAlg
    IPAuthenticationProvider.usexforwardedfor X509AuthenticationProvider.superUser
    zookeeper.superUser ssl.authProvider zookeeper.ensembleAuthName sessionRequireClientSASLAuth
    enforce.auth.enabled enforce.auth.schemes sslQuorum ssl.keyStore.location
    ssl.keyStore.password ssl.quorum.keyStore.location ssl.quorum.keyStore.password
    ssl.keyStore.passwordPath ssl.quorum.keyStore.passwordPath ssl.keyStore.type
    ssl.quorum.keyStore.type ssl.trustStore.location ssl.trustStore.password
    ssl.quorum.trustStore.location ssl.quorum.trustStore.password ssl.trustStore.passwordPath
    ssl.quorum.trustStore.passwordPath ssl.trustStore.type ssl.quorum.trustStore.type ssl.protocol
    ssl.quorum.protocol ssl.enabledProtocols ssl.quorum.enabledProtocols ssl.ciphersuites
    ssl.quorum.ciphersuites ssl.context.supplier.class ssl.quorum.context.supplier.class
    ssl.hostnameVerification ssl.quorum.hostnameVerification ssl.clientHostnameVerification
    ssl.quorum.clientHostnameVerification ssl.crl ssl.quorum.crl ssl.ocsp ssl.quorum.ocsp
    ssl.clientAuth ssl.quorum.clientAuth ssl.handshakeDetectionTimeoutMillis
    ssl.quorum.handshakeDetectionTimeoutMillis ssl.sslProvider sslQuorumReloadCertFiles
    client.certReload client.portUnification authProvider kerberos.removeHostFromPrincipal
    kerberos.removeRealmFromPrincipal kerberos.canonicalizeHostNames multiAddress.enabled
    multiAddress.reachabilityCheckTimeoutMs fips-mode
    zookeeper.follower.skipLearnerRequestToNextProcessor forceSync jute.maxbuffer
    jute.maxbuffer.extrasize skipACL quorumListenOnAllIPs multiAddress.reachabilityCheckEnabled
    zookeeper.nio.numSelectorThreads zookeeper.nio.numWorkerThreads
    zookeeper.commitProcessor.numWorkerThreads zookeeper.commitProcessor.maxReadBatchSize
    zookeeper.commitProcessor.maxCommitBatchSize znode.container.checkIntervalMs
    znode.container.maxPerMinute znode.container.maxNeverUsedIntervalMs
    zookeeper.messageTracker.BufferSize zookeeper.messageTracker.Enabled
    admin.rateLimiterIntervalInMS admin.snapshot.enabled admin.restore.enabled
    admin.needClientAuth admin.forceHttps admin.portUnification admin.enableServer
    admin.serverAddress admin.serverPort admin.idleTimeout admin.commandURL
    metricsProvider.className metricsProvider.httpHost metricsProvider.httpPort
    metricsProvider.exportJvmInfo metricsProvider.numWorkerThreads metricsProvider.maxQueueSize
    metricsProvider.workerShutdownTimeoutMs readonlymode.enabled datadir.autocreate db.autocreate
    ssl.allowReverseDnsLookup ssl.quorum.allowReverseDnsLookup superUser.1 authProvider.1
";

/// Java system properties named in the guide where they differ from the headings, without their
/// `zookeeper.` prefix.
const PROPERTIES: &str = "
    commitProcessor.maxCommitBatchSize commitProcessor.maxReadBatchSize
    commitProcessor.numWorkerThreads connection_throttle_decrease_ratio
    connection_throttle_drop_decrease connection_throttle_drop_increase
    connection_throttle_fill_count connection_throttle_fill_time connection_throttle_freeze_time
    connection_throttle_tokens ensembleAuthName follower.skipLearnerRequestToNextProcessor
    leader.maxConcurrentDiffSyncs leader.maxConcurrentSnapSyncs leader.maxTimeToWaitForEpoch
    netty.advancedFlowControl.enabled netty.server.outstandingHandshake.limit
    nio.numSelectorThreads nio.numWorkerThreads observer.syncEnabled
    request_stale_connection_check request_stale_latency_check request_throttle_max_requests
    request_throttle_stall_time superUser throttled_op_wait_time request_throttle_drop_stale
    connection_throttle_weight_enabled
";

/// Read by the server's classes and not in the guide.
const CLASSES: &str = "
    nio.sessionlessCnxnTimeout nio.directBufferBytes nio.shutdownTimeout
    commitProcessor.shutdownTimeout closeSessionTxn.enabled snapshotSizeFactor
    intBufferStartingSizeBytes leader.ackLoggingFrequency leader.nodelay follower.nodelay
    leaderConnectDelayDuringRetryMs forceSnapshotSync observerMaster.sizeLimit admin.httpVersion
    allowSaslFailedClients letAnySaslUserDoX SASLAuthenticationProvider.superPassword
    requireKerberosConfig security.auth_to_local kinit kerberos.minReLoginTimeMs server.realm
    server.principal sasl.client sasl.client.canonicalize.hostname sasl.client.username
    sasl.clientconfig sasl.serverconfig client.secure clientCnxnSocket disableAutoWatchReset
    request.timeout jmx.log4j.disable jmx.log4j.mbean jvm.pause.monitor
    jvm.pause.info-threshold.ms jvm.pause.warn-threshold.ms jvm.pause.sleep.time.ms
    pathStats.enabled pathStats.maxDepth pathStats.sampleRate pathStats.slotCapacity
    pathStats.slotDuration pathStats.topPathMax pathStats.delay pathStats.initialDelay
    testingonly.initialZxid quorum.auth.enableSasl quorum.auth.kerberos.servicePrincipal
    quorum.auth.learner.saslLoginContext quorum.auth.learnerRequireSasl
    quorum.auth.server.saslLoginContext quorum.auth.serverRequireSasl quorum.cnxn.threads.size
    secureClientPortAddress peerType dynamicConfigFile portUnification oraclePath version
";
