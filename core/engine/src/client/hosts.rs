//! Which server to try next.
//!
//! The list is shuffled once and then gone round. When it changes at run time, clients move so that the load is even,
//! each deciding by itself with the probabilities of `org.apache.zookeeper.client.StaticHostProvider`.

use super::random::Random;

/// The list of servers, by label.
#[derive(Debug)]
pub(super) struct Hosts {
    labels: Vec<String>,
    /// The order of trying, as indices into `labels`.
    order: Vec<usize>,
    at: usize,
    /// Attempts since the last success.
    tried: usize,
    /// Where in `order` the last probe went.
    probed: usize,
    /// A server to try before going on.
    preferred: Option<usize>,
    /// Whether a good server was left for another, which has not been asked yet.
    moving: bool,
}

impl Hosts {
    pub(super) fn new(labels: Vec<String>, random: &mut Random) -> Self {
        let order = shuffled(labels.len(), random);
        Self { labels, order, at: 0, tried: 0, probed: 0, preferred: None, moving: false }
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Whether every server was tried since the last success.
    pub(super) fn went_round(&self) -> bool {
        self.tried >= self.labels.len()
    }

    /// Full rounds without success.
    pub(super) fn rounds(&self) -> u32 {
        let rounds = self.tried.checked_div(self.labels.len()).unwrap_or(0);
        u32::try_from(rounds).unwrap_or(u32::MAX)
    }

    pub(super) fn next(&mut self) -> Option<usize> {
        self.tried = self.tried.saturating_add(1);
        if let Some(server) = self.preferred.take().filter(|server| *server < self.labels.len()) {
            return Some(server);
        }
        let server = self.order.get(self.at).copied();
        self.at = self.at.saturating_add(1).checked_rem(self.order.len()).unwrap_or(0);
        server
    }

    /// The next one to ask whether it takes writes; not the one in use.
    pub(super) fn other_than(&mut self, current: usize) -> Option<usize> {
        (0..self.order.len()).find_map(|_| {
            self.probed = self.probed.saturating_add(1).checked_rem(self.order.len())?;
            self.order.get(self.probed).copied().filter(|server| *server != current)
        })
    }

    pub(super) const fn prefer(&mut self, server: usize) {
        self.preferred = Some(server);
    }

    pub(super) const fn succeeded(&mut self) {
        (self.tried, self.moving) = (0, false);
    }

    /// A server was reached and did not take the session. A member that has just joined is often a transaction behind, and refuses whoever has seen
    /// it: who moves there asks once more, after the pause. Otherwise all of them would stay away until the list changes again.
    pub(super) fn refused(&mut self, server: usize) {
        if std::mem::take(&mut self.moving) {
            self.prefer(server);
        }
    }

    /// Takes a new list. `current` is the server in use; answers whether to leave it, and its new index if not.
    pub(super) fn replace(
        &mut self,
        labels: Vec<String>,
        current: Option<usize>,
        random: &mut Random,
    ) -> Option<usize> {
        let old = std::mem::take(&mut self.labels);
        let current = current.and_then(|server| old.get(server).cloned());
        let kept: Vec<usize> = indices(&labels, |label| old.contains(label));
        let fresh: Vec<usize> = indices(&labels, |label| !old.contains(label));
        let here = current.and_then(|label| labels.iter().position(|other| *other == label));
        let (olds, news) = (old.len(), labels.len());
        let stay = match here {
            // A longer list: leave with the probability that evens out the load.
            Some(_) if news > olds => !chance(news.saturating_sub(olds), news, random),
            Some(_) => true,
            None => false,
        };
        // Who has to move goes to old servers only as far as those have room.
        let to_kept = here.is_none()
            && !kept.is_empty()
            && chance(
                kept.len().saturating_mul(olds.saturating_sub(news)),
                news.saturating_mul(olds.saturating_sub(kept.len())),
                random,
            );
        let (mut first, mut rest) = if to_kept { (kept, fresh) } else { (fresh, kept) };
        shuffle(&mut first, random);
        shuffle(&mut rest, random);
        first.append(&mut rest);
        let (order, moving) = (first, here.is_some() && !stay);
        *self = Self { labels, order, at: 0, tried: 0, probed: 0, preferred: None, moving };
        here.filter(|_| stay)
    }
}

fn indices(labels: &[String], wanted: impl Fn(&String) -> bool) -> Vec<usize> {
    labels.iter().enumerate().filter(|(_, label)| wanted(label)).map(|(at, _)| at).collect()
}

/// True with the probability `numerator / denominator`.
fn chance(numerator: usize, denominator: usize, random: &mut Random) -> bool {
    let bound = u64::try_from(denominator.max(1)).unwrap_or(u64::MAX);
    random.below(bound) < u64::try_from(numerator).unwrap_or(u64::MAX)
}

fn shuffled(len: usize, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    shuffle(&mut order, random);
    order
}

fn shuffle(order: &mut [usize], random: &mut Random) {
    for last in (1..order.len()).rev() {
        let bound = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        order.swap(last, usize::try_from(random.below(bound)).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &str) -> Vec<String> {
        names.chars().map(String::from).collect()
    }

    /// How many of 3,000 clients, evenly spread over `old`, end at each server of `new`.
    fn spread(old: &str, new: &str) -> Vec<usize> {
        let mut random = Random::new(1);
        let mut load = vec![0; new.len()];
        for client in 0..3000 {
            let mut hosts = Hosts::new(labels(old), &mut random);
            let stays = hosts.replace(labels(new), Some(client % old.len()), &mut random);
            load[stays.or_else(|| hosts.next()).unwrap()] += 1;
        }
        load
    }

    #[test]
    fn load_is_even_after_the_list_changed() {
        for (old, new) in
            [("abc", "abcde"), ("abcde", "abc"), ("abc", "abd"), ("abc", "def"), ("a", "ab")]
        {
            let load = spread(old, new);
            let even = 3000 / new.len();
            for (server, &clients) in load.iter().enumerate() {
                assert!(clients.abs_diff(even) < even / 5, "{old} to {new}, {server}: {load:?}");
            }
        }
    }

    #[test]
    fn nobody_moves_without_need() {
        let load = spread("abc", "cba");
        assert_eq!(load, [1000, 1000, 1000]);
    }

    #[test]
    fn every_server_is_tried_in_a_round() {
        let mut random = Random::new(7);
        let mut hosts = Hosts::new(labels("abcd"), &mut random);
        for _ in 0..3 {
            let mut round: Vec<_> = (0..4).map(|_| hosts.next().unwrap()).collect();
            round.sort_unstable();
            assert_eq!(round, [0, 1, 2, 3]);
        }
        assert_eq!(hosts.rounds(), 3);
    }
}
