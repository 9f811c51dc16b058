//! What multi (14) and multiRead (22) answer: one result per part, in the order of the parts.
//!
//! A server writes results as it goes; this typed form is for whoever reads them. createContainer and
//! createTTL are answered as create2. A multi that fails holds nothing but errors, a multiRead may mix.

use super::create::{Create2Response, CreateResponse};
use super::get_children::GetChildrenResponse;
use super::get_data::GetDataResponse;
use super::multi::MultiHeader;
use crate::OpCode;
use crate::jute::{DecodeError, Jute, Reader};
use crate::stat::Stat;

/// The result of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiResult<'a> {
    /// create; servers before 3.7.2 and 3.8.2 also answer create2 like this.
    Create(CreateResponse<'a>),
    /// create2, createContainer and createTTL.
    Create2(Create2Response<'a>),
    /// delete.
    Delete,
    /// setData.
    SetData(Stat),
    /// check.
    Check,
    /// getData.
    GetData(GetDataResponse<'a>),
    /// getChildren.
    GetChildren(GetChildrenResponse<'a>),
    /// A failure: 0 for a part before the one that failed, its [`ErrorCode`](crate::ErrorCode) for that one, -2
    /// for the ones after it. A read that fails stands alone.
    Error(i32),
}

/// The body of a reply to multi or multiRead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultiResponse<'a> {
    /// The results, in the order of the parts.
    pub results: Vec<MultiResult<'a>>,
}

impl<'a> Jute<'a> for MultiResponse<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut results = Vec::new();
        loop {
            let header: MultiHeader = r.get()?;
            if header.done {
                return Ok(Self { results });
            }
            results.push(read_result(header.op, r)?);
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        for result in &self.results {
            write_result(result, out);
        }
        MultiHeader::END.write(out);
    }
}

fn read_result<'a>(op: i32, r: &mut Reader<'a>) -> Result<MultiResult<'a>, DecodeError> {
    Ok(match OpCode::from_code(op) {
        Some(OpCode::Create) => MultiResult::Create(r.get()?),
        Some(OpCode::Create2) => MultiResult::Create2(r.get()?),
        Some(OpCode::Delete) => MultiResult::Delete,
        Some(OpCode::SetData) => MultiResult::SetData(r.get()?),
        Some(OpCode::Check) => MultiResult::Check,
        Some(OpCode::GetData) => MultiResult::GetData(r.get()?),
        Some(OpCode::GetChildren) => MultiResult::GetChildren(r.get()?),
        None if op == ERROR_OP => MultiResult::Error(r.get()?),
        _ => return Err(DecodeError::Unknown { what: "result of a multi", value: op.into() }),
    })
}

fn write_result(result: &MultiResult<'_>, out: &mut Vec<u8>) {
    let header = |op: OpCode| MultiHeader { op: op.code(), done: false, err: 0 };
    match result {
        MultiResult::Create(reply) => {
            header(OpCode::Create).write(out);
            reply.write(out);
        }
        MultiResult::Create2(reply) => {
            header(OpCode::Create2).write(out);
            reply.write(out);
        }
        MultiResult::Delete => header(OpCode::Delete).write(out),
        MultiResult::SetData(stat) => {
            header(OpCode::SetData).write(out);
            stat.write(out);
        }
        MultiResult::Check => header(OpCode::Check).write(out),
        MultiResult::GetData(reply) => {
            header(OpCode::GetData).write(out);
            reply.write(out);
        }
        MultiResult::GetChildren(reply) => {
            header(OpCode::GetChildren).write(out);
            reply.write(out);
        }
        MultiResult::Error(code) => {
            MultiHeader { op: ERROR_OP, done: false, err: *code }.write(out);
            code.write(out);
        }
    }
}

/// The op of an error's header.
const ERROR_OP: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn results_come_back_in_order() {
        let results = vec![
            MultiResult::Create(CreateResponse { path: "/a".into() }),
            MultiResult::Create2(Create2Response { path: "/b".into(), stat: Stat::default() }),
            MultiResult::Delete,
            MultiResult::SetData(Stat { version: 3, ..Stat::default() }),
            MultiResult::Check,
            MultiResult::GetData(GetDataResponse { data: None, stat: Stat::default() }),
            MultiResult::GetChildren(GetChildrenResponse { children: vec!["c".into()] }),
            MultiResult::Error(ErrorCode::NoNode.code()),
        ];
        let bytes = MultiResponse { results: results.clone() }.to_bytes();
        assert_eq!(MultiResponse::from_bytes(&bytes).unwrap().results, results);
        for cut in 0..bytes.len() {
            assert!(MultiResponse::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_result_of_another_operation_is_an_error() {
        let mut bytes = Vec::new();
        MultiHeader { op: OpCode::Exists.code(), done: false, err: 0 }.write(&mut bytes);
        assert!(MultiResponse::from_bytes(&bytes).is_err());
    }
}
