//! What the data of a [`Packet`](super::packet::Packet) holds, kind by kind.
//!
//! All are plain values at the start of the data; what follows them is ignored, as Apache ignores it, so that later
//! versions can add to them. Source: `Learner`, `LearnerHandler`, `Leader`.

use crate::jute::{DecodeError, Jute, Reader};
use crate::record;

/// The version of the protocol that both sides speak: that with LEADERINFO and ACKEPOCH, since ZooKeeper 3.4.
pub const PROTOCOL_VERSION: i32 = 0x1_0000;
/// The version of a learner that says none.
const OLDEST_PROTOCOL: i32 = 1;

/// Who a learner is, in FOLLOWERINFO and OBSERVERINFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerInfo {
    /// Its sid.
    pub server_id: i64,
    /// [`PROTOCOL_VERSION`]; a smaller one knows no LEADERINFO and no ACKEPOCH.
    pub protocol_version: i32,
    /// Version of its committed configuration; 0 if it does not say.
    pub config_version: i64,
    /// What it can do beyond Apache's servers.
    pub features: Features,
}

/// What a server of this project can do, and its leader may rely on. Apache's leaders do not read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// After TRUNC it holds nothing that was cut: it drops the snapshots that do, or says that it cannot cut.
    pub truncates: bool,
    /// It takes [beats](BEAT), and a leader that has promised them and gives none for frozen.
    pub beats: bool,
}

impl Features {
    /// Nothing: an Apache server.
    pub const NONE: Self = Self { truncates: false, beats: false };
    /// All: a server of this version.
    pub const OURS: Self = Self { truncates: true, beats: true };
    const TRUNCATES: i32 = 1;
    const BEATS: i32 = 2;

    const fn bits(self) -> i32 {
        let truncates = if self.truncates { Self::TRUNCATES } else { 0 };
        truncates | if self.beats { Self::BEATS } else { 0 }
    }

    fn of(bits: i32) -> Self {
        Self { truncates: bits & Self::TRUNCATES != 0, beats: bits & Self::BEATS != 0 }
    }
}

/// The data of a PING that is a beat: a sign of life between two pings, which nobody answers. Only learners that say that they
/// [take them](Features::beats) are sent any; the data of Apache's pings is null.
pub const BEAT: &[u8] = &MARK.to_be_bytes();

/// What precedes what Apache does not know, so that a field that it may add one day is not taken for that.
const MARK: i32 = i32::from_be_bytes(*b"quor");
/// Bytes of the mark and the number behind it.
const MARKED_LEN: usize = 8;

/// The number behind the mark, if that is what follows.
fn marked(r: &mut Reader<'_>) -> Result<Option<i32>, DecodeError> {
    if r.rest().len() < MARKED_LEN || r.get::<i32>()? != MARK {
        return Ok(None);
    }
    r.get().map(Some)
}

fn write_marked(number: i32, out: &mut Vec<u8>) {
    MARK.write(out);
    number.write(out);
}

impl LearnerInfo {
    /// What a server of today says, if it can do nothing beyond.
    #[must_use]
    pub const fn new(server_id: i64, config_version: i64) -> Self {
        let features = Features::NONE;
        Self { server_id, protocol_version: PROTOCOL_VERSION, config_version, features }
    }

    /// Reads a packet's data. `None` for null: such a learner gets a sid from the leader.
    ///
    /// # Errors
    /// When there is data, but not even a sid.
    pub fn from_data(data: Option<&[u8]>) -> Result<Option<Self>, DecodeError> {
        data.map(Self::from_bytes).transpose()
    }
}

/// Writes 20 bytes, and 8 more if there are features; reads also the 12 of ZooKeeper 3.4, without a configuration, and 8,
/// the sid alone.
impl<'a> Jute<'a> for LearnerInfo {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let server_id = r.get()?;
        let protocol_version = if r.rest().len() < 4 { OLDEST_PROTOCOL } else { r.get()? };
        let config_version = if r.rest().len() < 8 { 0 } else { r.get()? };
        let features = marked(r)?.map_or(Features::NONE, Features::of);
        Ok(Self { server_id, protocol_version, config_version, features })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.server_id.write(out);
        self.protocol_version.write(out);
        self.config_version.write(out);
        if self.features != Features::NONE {
            write_marked(self.features.bits(), out);
        }
    }
}

/// Data of LEADERINFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderInfo {
    /// [`PROTOCOL_VERSION`].
    pub protocol_version: i32,
    /// The leader promises a [beat](BEAT) so often, ms. Told to those alone that [take them](Features::beats).
    pub beat: Option<i32>,
}

/// Writes 4 bytes, and 8 more for a beat.
impl<'a> Jute<'a> for LeaderInfo {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { protocol_version: r.get()?, beat: marked(r)?.filter(|&beat| beat > 0) })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.protocol_version.write(out);
        if let Some(beat) = self.beat {
            write_marked(beat, out);
        }
    }
}

/// Data of ACKEPOCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckEpoch {
    /// The epoch whose history the learner holds; `None` if it had accepted the new epoch before and is not to be counted.
    pub current_epoch: Option<i32>,
}

impl<'a> Jute<'a> for AckEpoch {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let epoch: i32 = r.get()?;
        Ok(Self { current_epoch: (epoch != -1).then_some(epoch) })
    }
    fn write(&self, out: &mut Vec<u8>) {
        self.current_epoch.unwrap_or(-1).write(out);
    }
}

/// Data of REQUEST: a client's request as its server received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The client's session.
    pub session: i64,
    /// The client's number for the request.
    pub cxid: i32,
    /// An [`OpCode`](crate::OpCode).
    pub op: i32,
    /// The request without its header, up to the end of the data.
    pub body: &'a [u8],
}

impl<'a> Jute<'a> for Request<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { session: r.get()?, cxid: r.get()?, op: r.get()?, body: rest(r)? })
    }
    fn write(&self, out: &mut Vec<u8>) {
        self.session.write(out);
        self.cxid.write(out);
        self.op.write(out);
        out.extend_from_slice(self.body);
    }
}

record! {
    /// Data of REVALIDATE to the leader: a client of this session has come; may it?
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RevalidateRequest {
        /// The session.
        pub session: i64,
        /// Its timeout, ms.
        pub timeout: i32,
    }
}

record! {
    /// Data of REVALIDATE from the leader.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RevalidateReply {
        /// The session.
        pub session: i64,
        /// Whether it lives, and belongs to the learner that asked now.
        pub valid: bool,
    }
}

record! {
    /// A session that a learner has heard of since its last PING.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Touch {
        /// The session.
        pub session: i64,
        /// Its timeout, ms.
        pub timeout: i32,
    }
}

impl Touch {
    /// Bytes of one.
    pub const LEN: usize = 12;
}

/// The sessions in the data of a PING reply, one after the other up to its end.
///
/// # Errors
/// When the data ends within one.
pub fn touches(data: &[u8]) -> Result<impl ExactSizeIterator<Item = Touch>, DecodeError> {
    let (entries, rest) = data.as_chunks::<{ Touch::LEN }>();
    if !rest.is_empty() {
        return Err(DecodeError::Eof { needed: Touch::LEN, left: rest.len() });
    }
    Ok(entries.iter().map(|[session @ .., a, b, c, d]| Touch {
        session: i64::from_be_bytes(*session),
        timeout: i32::from_be_bytes([*a, *b, *c, *d]),
    }))
}

record! {
    /// Data of COMMITANDACTIVATE.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SuggestedLeader {
        /// The sid of the server that should lead under the new configuration.
        pub sid: i64,
    }
}

/// Data of INFORMANDACTIVATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InformAndActivate<'a> {
    /// The sid of the server that should lead under the new configuration.
    pub suggested_leader: i64,
    /// The transaction: a [`TxnRecord`](crate::txn::TxnRecord) up to the end of the data.
    pub txn: &'a [u8],
}

impl<'a> Jute<'a> for InformAndActivate<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { suggested_leader: r.get()?, txn: rest(r)? })
    }
    fn write(&self, out: &mut Vec<u8>) {
        self.suggested_leader.write(out);
        out.extend_from_slice(self.txn);
    }
}

fn rest<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    r.take(r.rest().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learner_of_any_age_is_understood() {
        let info = LearnerInfo::new(3, 0x1_0000_0002);
        let mut bytes = info.to_bytes();
        assert_eq!(bytes.len(), 20);
        let read = |bytes: &[u8]| LearnerInfo::from_data(Some(bytes));
        for cut in 12..20 {
            assert_eq!(read(&bytes[..cut]), Ok(Some(LearnerInfo::new(3, 0))), "{cut} bytes");
        }
        let oldest = LearnerInfo { protocol_version: 1, ..LearnerInfo::new(3, 0) };
        for cut in 8..12 {
            assert_eq!(read(&bytes[..cut]), Ok(Some(oldest)), "{cut} bytes");
        }
        assert!(read(&bytes[..7]).is_err());
        assert_eq!(LearnerInfo::from_data(None), Ok(None));
        bytes.extend_from_slice(b"of later versions");
        assert_eq!(read(&bytes), Ok(Some(info)));
    }

    #[test]
    fn features_are_those_behind_the_mark() {
        let able = LearnerInfo { features: Features::OURS, ..LearnerInfo::new(3, 5) };
        let bytes = able.to_bytes();
        assert_eq!((bytes.len(), LearnerInfo::from_bytes(&bytes)), (28, Ok(able)));
        assert_eq!(bytes[..20], LearnerInfo::new(3, 5).to_bytes());
        for cut in 20..28 {
            assert_eq!(LearnerInfo::from_bytes(&bytes[..cut]), Ok(LearnerInfo::new(3, 5)), "{cut}");
        }
        let mut other = bytes.clone();
        other[20] ^= 1;
        assert_eq!(LearnerInfo::from_bytes(&other), Ok(LearnerInfo::new(3, 5)), "another mark");
        let mut later = bytes;
        later[27] = 0xFC;
        assert_eq!(LearnerInfo::from_bytes(&later), Ok(LearnerInfo::new(3, 5)), "unknown bits");
    }

    #[test]
    fn each_feature_is_a_bit_of_its_own() {
        for (bits, truncates, beats) in
            [(1, true, false), (2, false, true), (3, true, true), (-1, true, true)]
        {
            let features = Features { truncates, beats };
            assert_eq!(Features::of(bits), features);
            assert_eq!(features.bits(), bits & 3);
        }
    }

    #[test]
    fn a_beat_is_promised_behind_the_mark() {
        let plain = LeaderInfo { protocol_version: PROTOCOL_VERSION, beat: None };
        assert_eq!(plain.to_bytes(), PROTOCOL_VERSION.to_be_bytes());
        let beating = LeaderInfo { beat: Some(50), ..plain };
        let bytes = beating.to_bytes();
        assert_eq!((bytes.len(), LeaderInfo::from_bytes(&bytes)), (12, Ok(beating)));
        for cut in 4..12 {
            assert_eq!(LeaderInfo::from_bytes(&bytes[..cut]), Ok(plain), "{cut} bytes");
        }
        for nonsense in [0, -1] {
            let told = LeaderInfo { beat: Some(nonsense), ..plain };
            assert_eq!(LeaderInfo::from_bytes(&told.to_bytes()), Ok(plain), "every {nonsense} ms");
        }
    }

    #[test]
    fn an_epoch_that_was_accepted_before_is_none() {
        for (epoch, bytes) in
            [(None, [0xFF; 4]), (Some(5), [0, 0, 0, 5]), (Some(-2), [0xFF, 0xFF, 0xFF, 0xFE])]
        {
            let ack = AckEpoch { current_epoch: epoch };
            assert_eq!((ack.to_bytes(), AckEpoch::from_bytes(&bytes)), (bytes.to_vec(), Ok(ack)));
        }
    }

    #[test]
    fn bodies_go_to_the_end_of_the_data() {
        let request = Request { session: 7, cxid: 2, op: -11, body: b"" };
        assert_eq!(Request::from_bytes(&request.to_bytes()), Ok(request));
        assert!(Request::from_bytes(&request.to_bytes()[..15]).is_err());
        let request = Request { body: b"body", ..request };
        assert_eq!(Request::from_bytes(&request.to_bytes()), Ok(request));
        let inform = InformAndActivate { suggested_leader: -1, txn: b"txn" };
        assert_eq!(InformAndActivate::from_bytes(&inform.to_bytes()), Ok(inform));
        assert!(InformAndActivate::from_bytes(&inform.to_bytes()[..7]).is_err());
    }

    #[test]
    fn touches_are_read_to_the_last_and_not_within_one() {
        let written = [Touch { session: -5, timeout: 4000 }, Touch { session: 6, timeout: -1 }];
        let mut data = Vec::new();
        written.iter().for_each(|touch| touch.write(&mut data));
        assert_eq!(touches(&data).unwrap().collect::<Vec<_>>(), written);
        assert_eq!(touches(&[]).unwrap().len(), 0);
        for cut in (0..data.len()).filter(|cut| cut % Touch::LEN != 0) {
            assert!(touches(&data[..cut]).is_err(), "cut at {cut}");
        }
    }
}
