//! Keys that tune Java threads and caches. None has a counterpart here; each is named in a
//! warning so that nobody waits for its effect.

use crate::config::key::Disposition::{EnsembleOnly, Warned};
use crate::config::key::{Disposition, Key, Kind, Section};

use super::property;

pub(super) const PERFORMANCE: &[Key] = &[
    Key::new(
        property("nio.numSelectorThreads", Section::Performance),
        Kind::int(0, "threads"),
        "",
        THREADS,
        "Threads that select sockets",
    ),
    Key::new(
        property("nio.numWorkerThreads", Section::Performance),
        Kind::int(0, "threads"),
        "",
        THREADS,
        "Threads that read and write sockets",
    ),
    Key::new(
        property("nio.directBufferBytes", Section::Performance),
        Kind::int(0, "bytes"),
        "65536",
        Warned("has no effect: there are no direct buffers outside Java"),
        "Direct buffer of each worker thread",
    ),
    Key::new(
        property("nio.shutdownTimeout", Section::Performance),
        Kind::long(0, "milliseconds"),
        "5000",
        Warned("has no effect: closing connections does not wait for worker threads"),
        "Time worker threads may take to end",
    ),
    Key::new(
        property("intBufferStartingSizeBytes", Section::Performance),
        Kind::int_from(32, "bytes"),
        "1024",
        Warned("has no effect: records are encoded straight into the output"),
        "First size of the buffer that a record is encoded into",
    ),
    Key::new(
        property("maxResponseCacheSize", Section::Performance),
        Kind::int(0, "responses"),
        "400",
        CACHE,
        "Encoded answers to getData kept for reuse",
    ),
    Key::new(
        property("maxGetChildrenResponseCacheSize", Section::Performance),
        Kind::int(0, "responses"),
        "400",
        CACHE,
        "Encoded answers to getChildren kept for reuse",
    ),
    Key::new(
        property("watchManagerName", Section::Performance),
        Kind::Text("the name of a Java class"),
        "org.apache.zookeeper.server.watch.WatchManager",
        Warned("has no effect: there is one table of watches, small and fast for any number"),
        "Class that keeps the watches",
    )
    .inert(&[
        "org.apache.zookeeper.server.watch.WatchManager",
        "org.apache.zookeeper.server.watch.WatchManagerOptimized",
    ]),
    Key::new(
        property("watcherCleanThreadsNum", Section::Performance),
        Kind::int(0, "threads"),
        "2",
        WATCHES,
        "Threads that remove the watches of closed connections",
    ),
    Key::new(
        property("watcherCleanThreshold", Section::Performance),
        Kind::int(0, "connections"),
        "1000",
        WATCHES,
        "Closed connections whose watches are removed together",
    ),
    Key::new(
        property("watcherCleanIntervalInSeconds", Section::Performance),
        Kind::int(0, "seconds"),
        "600",
        WATCHES,
        "Time after which the watches of closed connections are removed",
    ),
    Key::new(
        property("maxInProcessingDeadWatchers", Section::Performance),
        Kind::int(-1, "connections"),
        "-1",
        WATCHES,
        "Closed connections whose watches may wait for removal",
    ),
    Key::new(
        property("bitHashCacheSize", Section::Performance),
        Kind::int(0, "entries"),
        "10",
        WATCHES,
        "Elements of a bit set of watchers kept as a hash set",
    ),
    Key::new(
        property("commitProcessor.numWorkerThreads", Section::Performance),
        Kind::int(0, "threads"),
        "",
        EnsembleOnly(COMMITS),
        "Threads that execute requests in an ensemble",
    ),
    Key::new(
        property("commitProcessor.maxReadBatchSize", Section::Performance),
        Kind::int(-1, "requests"),
        "-1",
        EnsembleOnly(COMMITS),
        "Reads executed before commits are looked at",
    ),
    Key::new(
        property("commitProcessor.maxCommitBatchSize", Section::Performance),
        Kind::int_from(1, "commits"),
        "1",
        EnsembleOnly(COMMITS),
        "Commits executed before reads are looked at",
    ),
    Key::new(
        property("commitProcessor.shutdownTimeout", Section::Performance),
        Kind::long(0, "milliseconds"),
        "5000",
        EnsembleOnly(COMMITS),
        "Time the commit processor's threads may take to end",
    ),
];

const COMMITS: &str =
    "has no effect: there is no commit processor, one thread applies what is committed";

const THREADS: Disposition = Warned(
    "has no effect: Java's thread pools do not exist here; quorate.io and quorate.shards \
            decide about threads",
);

const CACHE: Disposition =
    Warned("has no effect: encoding an answer costs no more than finding it in a cache");

const WATCHES: Disposition =
    Warned("has no effect: the table of watches needs no cleaning threads");
