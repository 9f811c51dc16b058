//! Keys that slow down or refuse clients under load.

use crate::config::key::Disposition::{Honoured, Warned};
use crate::config::key::{Key, Kind, Section};
use crate::config::slot::Slot;

use super::{named, property};

pub(super) const THROTTLING: &[Key] = &[
    Key::new(
        named(
            "requestThrottleLimit",
            "zookeeper.request_throttle_max_requests",
            Section::Throttling,
        ),
        Kind::int(0, "requests"),
        "0",
        Honoured(Slot::U32(|config| &mut config.request_throttle.max_requests)),
        "Requests in progress from which others wait; 0 is unlimited",
    ),
    Key::new(
        named(
            "requestThrottleStallTime",
            "zookeeper.request_throttle_stall_time",
            Section::Throttling,
        ),
        Kind::int(0, "milliseconds"),
        "100",
        Honoured(Slot::U32(|config| &mut config.request_throttle.stall_time_ms)),
        "Longest wait of a throttled request before it is tried again",
    ),
    Key::new(
        named(
            "requestThrottleDropStale",
            "zookeeper.request_throttle_drop_stale",
            Section::Throttling,
        ),
        Kind::Bool,
        "true",
        Honoured(Slot::Bool(|config| &mut config.request_throttle.drop_stale)),
        "Whether stale requests are dropped",
    ),
    Key::new(
        named(
            "requestStaleLatencyCheck",
            "zookeeper.request_stale_latency_check",
            Section::Throttling,
        ),
        Kind::Bool,
        "false",
        Honoured(Slot::Bool(|config| &mut config.request_throttle.stale_latency_check)),
        "Whether waiting longer than the session timeout makes a request stale",
    ),
    Key::new(
        named(
            "requestStaleConnectionCheck",
            "zookeeper.request_stale_connection_check",
            Section::Throttling,
        ),
        Kind::Bool,
        "true",
        Honoured(Slot::Bool(|config| &mut config.request_throttle.stale_connection_check)),
        "Whether losing its connection makes a request stale",
    ),
    Key::new(
        property("request_throttler.shutdownTimeout", Section::Throttling),
        Kind::int(0, "milliseconds"),
        "10000",
        Warned(
            "has no effect: requests that wait for others when the server stops are dropped at once, \
             unanswered",
        ),
        "Time the queue of requests may take to drain at shutdown",
    ),
    Key::new(
        named("throttledOpWaitTime", "zookeeper.throttled_op_wait_time", Section::Throttling),
        Kind::int(0, "milliseconds"),
        "0",
        Honoured(Slot::U32(|config| &mut config.request_throttle.throttled_op_wait_time_ms)),
        "Time in the queue from which a request is answered with an error; 0 never",
    ),
    Key::new(
        property("largeRequestThreshold", Section::Throttling),
        Kind::int(-1, "bytes"),
        "-1",
        Honoured(Slot::OptU32(|config| &mut config.large_requests.threshold)),
        "Size above which a request is large; -1 calls none large",
    ),
    Key::new(
        property("largeRequestMaxBytes", Section::Throttling),
        Kind::int_from(1, "bytes"),
        "104857600",
        Honoured(Slot::U32(|config| &mut config.large_requests.max_bytes)),
        "Bytes of all large requests in progress, at most; beyond it the connection is closed",
    ),
    Key::new(
        named("connectionMaxTokens", "zookeeper.connection_throttle_tokens", Section::Throttling),
        Kind::int(0, "tokens"),
        "0",
        Honoured(Slot::U32(|config| &mut config.connection_throttle.tokens)),
        "Size of the token bucket for new sessions; 0 disables throttling",
    ),
    Key::new(
        named(
            "connectionTokenFillTime",
            "zookeeper.connection_throttle_fill_time",
            Section::Throttling,
        ),
        Kind::int_from(1, "milliseconds"),
        "1",
        Honoured(Slot::U32(|config| &mut config.connection_throttle.fill_time_ms)),
        "Time between fillings of the bucket",
    ),
    Key::new(
        named(
            "connectionTokenFillCount",
            "zookeeper.connection_throttle_fill_count",
            Section::Throttling,
        ),
        Kind::int_from(1, "tokens"),
        "1",
        Honoured(Slot::U32(|config| &mut config.connection_throttle.fill_count)),
        "Tokens per filling",
    ),
    Key::new(
        named(
            "connectionFreezeTime",
            "zookeeper.connection_throttle_freeze_time",
            Section::Throttling,
        ),
        Kind::int(-1, "milliseconds"),
        "-1",
        Honoured(Slot::OptU32(|config| &mut config.connection_throttle.freeze_time_ms)),
        "Time between adjustments of the drop probability; -1 never drops at random",
    ),
    Key::new(
        named(
            "connectionDropIncrease",
            "zookeeper.connection_throttle_drop_increase",
            Section::Throttling,
        ),
        Kind::Fraction,
        "0.02",
        Honoured(Slot::F64(|config| &mut config.connection_throttle.drop_increase)),
        "Added to the drop probability when the bucket is empty",
    ),
    Key::new(
        named(
            "connectionDropDecrease",
            "zookeeper.connection_throttle_drop_decrease",
            Section::Throttling,
        ),
        Kind::Fraction,
        "0.002",
        Honoured(Slot::F64(|config| &mut config.connection_throttle.drop_decrease)),
        "Taken from the drop probability when the bucket is full enough",
    ),
    Key::new(
        named(
            "connectionDecreaseRatio",
            "zookeeper.connection_throttle_decrease_ratio",
            Section::Throttling,
        ),
        Kind::Fraction,
        "0",
        Honoured(Slot::F64(|config| &mut config.connection_throttle.decrease_ratio)),
        "Share of the bucket from which it is full enough",
    ),
    Key::new(
        property("connection_throttle_weight_enabled", Section::Throttling),
        Kind::Bool,
        "false",
        Honoured(Slot::Bool(|config| &mut config.connection_throttle.weight_enabled)),
        "Whether kinds of session cost different numbers of tokens",
    ),
    Key::new(
        property("connection_throttle_global_session_weight", Section::Throttling),
        Kind::int_from(1, "tokens"),
        "3",
        Honoured(Slot::U32(|config| &mut config.connection_throttle.global_session_weight)),
        "Tokens for a new global session",
    ),
    Key::new(
        property("connection_throttle_local_session_weight", Section::Throttling),
        Kind::int_from(1, "tokens"),
        "1",
        Honoured(Slot::U32(|config| &mut config.connection_throttle.local_session_weight)),
        "Tokens for a new local session",
    ),
    Key::new(
        property("connection_throttle_renew_session_weight", Section::Throttling),
        Kind::int_from(1, "tokens"),
        "2",
        Honoured(Slot::U32(|config| &mut config.connection_throttle.renew_session_weight)),
        "Tokens for resuming a session",
    ),
];
