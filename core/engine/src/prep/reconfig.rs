//! reconfig, on a server without an ensemble: every request is refused.

use super::judge::Judge;
use super::undecodable;
use quorate_wire::error::ErrorCode;
use quorate_wire::jute::Jute;
use quorate_wire::op::reconfig::ReconfigRequest;

/// Judges a reconfig.
pub(super) fn reconfig(judge: &Judge<'_>, body: &[u8]) -> Result<(), ErrorCode> {
    ReconfigRequest::from_bytes(body).map_err(undecodable)?;
    if !judge.config.reconfig_enabled {
        return Err(ErrorCode::ReconfigDisabled);
    }
    judge.require_session()?;
    Err(ErrorCode::Unimplemented)
}
