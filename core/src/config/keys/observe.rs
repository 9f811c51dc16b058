//! Keys of the AdminServer, metrics, audit and debugging, and properties of clients.

use crate::config::key::Disposition::{EnsembleOnly, Refused, Warned};
use crate::config::key::{Disposition, Key, Kind, Section};

use super::{file, property};

pub(super) const DEBUG: &[Key] = &[
    Key::new(
        property("messageTracker.BufferSize", Section::Debug),
        Kind::int_from(1, "messages"),
        "10",
        EnsembleOnly("has no effect: messages between servers are not kept for the log"),
        "Messages between leader and learner kept for the log",
    ),
    Key::new(
        property("messageTracker.Enabled", Section::Debug),
        Kind::Bool,
        "false",
        EnsembleOnly("has no effect: messages between servers are not kept for the log"),
        "Whether messages between leader and learner are kept for the log",
    ),
    Key::new(
        property("audit.enable", Section::Debug),
        Kind::Bool,
        "false",
        Refused("no audit log is written yet; remove the key to run without one"),
        "Whether an audit log is written",
    )
    .inert(&["false"]),
    Key::new(
        property("audit.impl.class", Section::Debug),
        Kind::Text("the name of a Java class"),
        "",
        Warned("has no effect: no audit log is written yet"),
        "Class that writes the audit log",
    ),
    Key::new(
        file("jvm.pause.*", Section::Debug),
        Kind::Text("a setting of the JVM pause monitor"),
        "",
        Warned("has no effect: there is no Java virtual machine that could pause"),
        "Monitor of JVM pauses: monitor, warn-threshold.ms, info-threshold.ms, sleep.time.ms",
    ),
    Key::new(
        property("jmx.log4j.*", Section::Debug),
        Kind::Text("a setting of JMX"),
        "",
        Warned("has no effect: there is no JMX outside Java"),
        "Log4j in JMX: disable, mbean",
    ),
    Key::new(
        property("pathStats.*", Section::Debug),
        Kind::Text("a setting of path statistics"),
        "",
        Warned("has no effect: path statistics are not collected"),
        "Statistics by path",
    ),
    Key::new(
        property("testingonly.initialZxid", Section::Debug),
        Kind::Text("a zxid"),
        "",
        Warned("has no effect: it exists for tests of Apache's server"),
        "Zxid of an empty database",
    ),
];

pub(super) const ADMIN: &[Key] = &[
    Key::new(
        property("admin.enableServer", Section::Admin),
        Kind::Bool,
        "true",
        ADMIN_LATER,
        "Whether the AdminServer runs",
    )
    .inert(&["false"]),
    admin("admin.serverAddress", Kind::Text("an address"), "0.0.0.0", "Address it listens on"),
    admin("admin.serverPort", Kind::port(), "8080", "Port it listens on"),
    admin("admin.commandURL", Kind::Text("a path"), "/commands", "Path of its commands"),
    admin("admin.idleTimeout", Kind::int(-1, "milliseconds"), "30000", "Idle time of a connection"),
    admin("admin.httpVersion", Kind::Text("a number"), "11", "HTTP version"),
    admin("admin.portUnification", Kind::Bool, "false", "Whether its port speaks HTTP and HTTPS"),
    admin("admin.forceHttps", Kind::Bool, "false", "Whether its port speaks HTTPS only"),
    admin("admin.needClientAuth", Kind::Bool, "false", "Whether its clients need a certificate"),
    admin("admin.snapshot.enabled", Kind::Bool, "true", "Whether it takes snapshots"),
    admin("admin.restore.enabled", Kind::Bool, "true", "Whether it restores snapshots"),
    admin(
        "admin.rateLimiterIntervalInMS",
        Kind::long(0, "milliseconds"),
        "300000",
        "Time between snapshots or restores",
    ),
];

pub(super) const METRICS: &[Key] = &[
    Key::new(
        file("metricsProvider.className", Section::Metrics),
        Kind::Text("the name of a Java class"),
        "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider",
        METRICS_LATER,
        "Class that publishes metrics",
    )
    .inert(&[
        "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider",
        "org.apache.zookeeper.metrics.impl.NullMetricsProvider",
    ]),
    metrics("metricsProvider.httpHost", Kind::Text("an address"), "0.0.0.0", "Address"),
    metrics("metricsProvider.httpPort", Kind::port(), "7000", "Port"),
    metrics("metricsProvider.exportJvmInfo", Kind::Bool, "true", "Whether the JVM is described"),
    metrics("metricsProvider.numWorkerThreads", Kind::int(0, "threads"), "1", "Threads"),
    metrics("metricsProvider.maxQueueSize", Kind::int(0, "tasks"), "1000000", "Tasks waiting"),
    metrics(
        "metricsProvider.workerShutdownTimeoutMs",
        Kind::long(0, "milliseconds"),
        "1000",
        "Time its threads may take to end",
    ),
    metrics("metricsProvider.*", Kind::Text("text"), "", "Any other setting of a provider"),
];

pub(super) const CLIENT: &[Key] = &[
    client("clientCnxnSocket", "Class of the client's socket"),
    client("client.secure", "Whether a client uses TLS"),
    client("request.timeout", "Time a client waits for an answer"),
    client("disableAutoWatchReset", "Whether a client sets its watches again"),
    client("sasl.*", "How a client uses SASL"),
    client("server.principal", "Principal a client expects of a server"),
];

const fn admin(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key::new(property(name, Section::Admin), kind, default, ADMIN_LATER, doc)
}

const fn metrics(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key::new(file(name, Section::Metrics), kind, default, METRICS_LATER, doc)
}

const fn client(name: &'static str, doc: &'static str) -> Key {
    let reason = Warned("has no effect: it is a property of clients, no server reads it");
    Key::new(property(name, Section::Client), Kind::Text("text"), "", reason, doc)
}

const ADMIN_LATER: Disposition = Warned(
    "has no effect: the AdminServer comes with a later version, and nothing listens for it; \
     four-letter words answer meanwhile",
);

const METRICS_LATER: Disposition = Warned(
    "has no effect: metrics providers come with a later version; the four-letter word `mntr` \
     answers meanwhile",
);
