//! Makes a sequence that fails as short as it can (delta debugging).
//!
//! Larger pieces are dropped first, then single steps, then single requests of the steps that are left. Every
//! candidate is played on the servers, so the caller sets an end.

use super::step::Step;
use std::time::Instant;

/// The shortest sequence found for which `fails` still says so.
pub(super) fn shortest(
    mut steps: Vec<Step>,
    end: Instant,
    mut fails: impl FnMut(&[Step]) -> bool,
) -> Vec<Step> {
    let mut piece = steps.len().div_ceil(2).max(1);
    loop {
        let before = steps.len();
        let mut at = 0;
        while at < steps.len() && Instant::now() < end {
            let mut candidate = steps.clone();
            candidate.drain(at..steps.len().min(at + piece));
            if fails(&candidate) {
                steps = candidate;
            } else {
                at += piece;
            }
        }
        if Instant::now() >= end {
            return steps;
        }
        if piece > 1 {
            piece = piece.div_ceil(2);
        } else if steps.len() == before {
            break;
        }
    }
    drop_requests(steps, end, &mut fails)
}

fn drop_requests(
    mut steps: Vec<Step>,
    end: Instant,
    fails: &mut impl FnMut(&[Step]) -> bool,
) -> Vec<Step> {
    for at in 0..steps.len() {
        let mut request = 0;
        while Instant::now() < end {
            let mut candidate = steps.clone();
            let Some(Step::Send { requests, .. }) = candidate.get_mut(at) else { break };
            if requests.len() < 2 || request >= requests.len() {
                break;
            }
            requests.remove(request);
            if fails(&candidate) {
                steps = candidate;
            } else {
                request += 1;
            }
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lockstep::step::Sent;
    use std::time::Duration;

    #[test]
    fn finds_the_two_steps_and_the_one_request_that_matter() {
        let burst = |ops: &[i32]| Step::Send {
            slot: 0,
            requests: ops.iter().map(|op| Sent::new(1, *op, &[])).collect(),
            closes: false,
            extra: 0,
        };
        let mut steps: Vec<Step> = (0..40).map(|slot| Step::Drop { slot }).collect();
        steps.insert(7, burst(&[1, 2, 3, 4]));
        let fails = |steps: &[Step]| {
            let three = steps.iter().any(|step| match step {
                Step::Send { requests, .. } => requests.iter().any(|r| r.op() == 3),
                _ => false,
            });
            three && steps.contains(&Step::Drop { slot: 31 })
        };
        let end = Instant::now() + Duration::from_secs(60);
        assert_eq!(shortest(steps, end, fails), [burst(&[3]), Step::Drop { slot: 31 }]);
    }
}
