//! How a record lies in the store: the version of its form, a sum over its bytes, and the record.
//! Disks lie now and then, and what is not what was written must not be believed.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::job::event::FORMAT;

/// The version, and four bytes of CRC-32: made against chance, not against intent.
const HEADER: usize = 5;
/// What most records fit into, so that they do not grow step by step.
const USUAL: usize = 2048;

/// A record as JSON.
pub(super) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    seal_as(version(), USUAL, |row| {
        serde_json::to_writer(row, record).expect("records have a JSON form");
    })
}

/// Bytes as they are.
pub(super) fn seal(record: &[u8]) -> Vec<u8> {
    seal_as(version(), record.len(), |row| row.extend_from_slice(record))
}

/// About so many bytes, as `write` adds them, that have a form, and versions of it, of their own.
pub(super) fn seal_as(form: u8, about: usize, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut row = Vec::with_capacity(HEADER + about);
    row.resize(HEADER, 0);
    write(&mut row);
    row[0] = form;
    let sum = crc32fast::hash(&row[HEADER..]);
    row[1..HEADER].copy_from_slice(&sum.to_be_bytes());
    row
}

/// A record that belongs to `whom`, and is not believed of anybody else.
pub(super) fn encode_of<T: Serialize>(whom: &[u8], record: &T) -> Vec<u8> {
    let mut row = encode(record);
    let sum = sum_of(whom, &row[HEADER..]);
    row[1..HEADER].copy_from_slice(&sum);
    row
}

/// What [`encode_of`] wrote for the same, and that it is his for sure; earlier kernels wrote what
/// [`encode`] writes, which may be anybody's.
pub(super) fn decode_of<T: DeserializeOwned>(whom: &[u8], row: &[u8]) -> Result<(T, bool), String> {
    if let Some((header, record)) = row.split_at_checked(HEADER)
        && header[0] == version()
        && sum_of(whom, record) == header[1..]
    {
        let read = serde_json::from_slice(record).map_err(|why| why.to_string())?;
        return Ok((read, true));
    }
    Ok((decode(row)?, false))
}

fn sum_of(whom: &[u8], record: &[u8]) -> [u8; 4] {
    let mut sum = crc32fast::Hasher::new();
    sum.update(whom);
    sum.update(record);
    sum.finalize().to_be_bytes()
}

/// A number of the store itself.
pub(super) fn number(number: u64) -> Vec<u8> {
    seal(&number.to_be_bytes())
}

/// What [`encode`] wrote, or what is wrong with it.
pub(super) fn decode<T: DeserializeOwned>(row: &[u8]) -> Result<T, String> {
    serde_json::from_slice(open(row)?).map_err(|why| why.to_string())
}

/// What [`number`] wrote, or what is wrong with it.
pub(super) fn as_number(row: &[u8]) -> Result<u64, String> {
    let bytes = open(row)?.try_into();
    bytes
        .map(u64::from_be_bytes)
        .map_err(|_| "it is no number".to_owned())
}

/// What [`seal`] wrote, or what is wrong with it.
pub(super) fn open(row: &[u8]) -> Result<&[u8], String> {
    open_up_to(version(), row).map(|(_, record)| record)
}

/// What [`seal_as`] wrote in this form or an earlier one, and in which.
pub(super) fn open_up_to(newest: u8, row: &[u8]) -> Result<(u8, &[u8]), String> {
    let Some((header, record)) = row.split_at_checked(HEADER) else {
        return Err(format!("it has only {} bytes", row.len()));
    };
    let form = header[0];
    if !(1..=newest).contains(&form) {
        return Err(format!(
            "its form is version {form}, this kernel reads up to {newest}"
        ));
    }
    if crc32fast::hash(record).to_be_bytes() != header[1..] {
        return Err("it is damaged: its bytes are not those that were written".to_owned());
    }
    Ok((form, record))
}

fn version() -> u8 {
    u8::try_from(FORMAT).expect("there are not that many versions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_one_is_not_believed_of_another() {
        let row = encode_of(b"one", &"what he has");
        assert_eq!(
            decode_of(b"one", &row),
            Ok(("what he has".to_owned(), true))
        );
        assert!(decode_of::<String>(b"another", &row).is_err());
        let anybodys = encode(&"what somebody has");
        let read = decode_of(b"one", &anybodys);
        assert_eq!(read, Ok(("what somebody has".to_owned(), false)));
    }

    #[test]
    fn a_record_reads_back_and_any_flipped_bit_is_found() {
        let row = encode(&"what happened");
        assert_eq!(decode::<String>(&row).unwrap(), "what happened");
        for at in 0..row.len() * 8 {
            let mut bad = row.clone();
            bad[at / 8] ^= 1 << (at % 8);
            assert!(decode::<String>(&bad).is_err(), "bit {at}");
        }
        for length in 0..row.len() {
            assert!(open(&row[..length]).is_err(), "{length} bytes");
        }
    }
}
