//! Arguments from C, looked at before they are believed.
//!
//! A pointer can only be checked for NULL. For everything else the caller of the exported function vouches, as the header demands of
//! it: that text ends with a NUL, that as many bytes are there as was said, that a struct begins with its size, and that all of
//! this stays as it is during the call. So the functions here are for arguments of exported functions, and for nothing else.

#![allow(unsafe_code, reason = "pointers from C")]

use crate::fault::{Error, Fault};
use std::ffi::{CStr, CString, c_char};

/// Options and results, which begin with their size.
///
/// # Safety
/// The type must be `repr(C)`, begin with a `usize`, have no padding that matters, and be valid when all its bytes are zero.
pub(crate) unsafe trait WithSize: Copy {}

/// The object of a pointer, or nothing for NULL.
pub(crate) fn borrowed<'a, T>(pointer: *const T) -> Option<&'a T> {
    // SAFETY: the caller vouches for a pointer that is not NULL.
    unsafe { pointer.as_ref() }
}

/// Text that must be there.
pub(crate) fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str, Fault> {
    optional_text(pointer, what)?.ok_or_else(|| Error::argument(format!("{what} is NULL")))
}

/// Text, or nothing for NULL.
pub(crate) fn optional_text<'a>(
    pointer: *const c_char,
    what: &str,
) -> Result<Option<&'a str>, Fault> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller vouches for the NUL at its end.
    let text = unsafe { CStr::from_ptr(pointer) };
    let text = text.to_str().map_err(|_| Error::argument(format!("{what} is not UTF-8")))?;
    Ok(Some(text))
}

/// Bytes; NULL will do for none.
pub(crate) fn bytes<'a>(pointer: *const u8, length: usize, what: &str) -> Result<&'a [u8], Fault> {
    list(pointer, length, what)
}

/// So many things; NULL will do for none.
pub(crate) fn list<'a, T>(pointer: *const T, count: usize, what: &str) -> Result<&'a [T], Fault> {
    if count == 0 {
        return Ok(&[]);
    }
    let bytes = count.checked_mul(size_of::<T>());
    if pointer.is_null() || bytes.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
        return Err(Error::argument(format!(
            "{what} is NULL or too long, but there should be some"
        )));
    }
    // SAFETY: the caller vouches for so many of them.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// A member without a meaning yet, which it can get only if nobody has anything in it.
pub(crate) fn zero(reserved: i32) -> Result<(), Fault> {
    match reserved {
        0 => Ok(()),
        _ => Err(Error::argument("a reserved member is not zero")),
    }
}

/// Options. What the caller's struct does not have yet is zero, which means the default; of what it has and we do not know,
/// everything must be zero. NULL is all defaults.
pub(crate) fn options<T: WithSize>(pointer: *const T, what: &str) -> Result<T, Fault> {
    // SAFETY: all types of the trait allow it.
    let mut known: T = unsafe { std::mem::zeroed() };
    if pointer.is_null() {
        return Ok(known);
    }
    // SAFETY: the caller vouches for a struct that begins with its size.
    let size = unsafe { pointer.cast::<usize>().read() };
    let wrong = |why: &str| Err(Error::argument(format!("the size of {what}, {size}, is {why}")));
    if size < size_of::<usize>() {
        return wrong("not set");
    }
    if size > MAX_STRUCT {
        return wrong("too large to be true");
    }
    // SAFETY: the caller vouches for `size` bytes.
    let given = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), size) };
    let (shared, news) = given.split_at(size.min(size_of::<T>()));
    if news.iter().any(|byte| *byte != 0) {
        return wrong("that of a newer version, and it uses what this one does not know");
    }
    // SAFETY: `known` has at least the shared part of the bytes.
    unsafe {
        (&raw mut known).cast::<u8>().copy_from_nonoverlapping(shared.as_ptr(), shared.len());
    }
    Ok(known)
}

/// Writes a struct to where the caller's is, as much of it as that has; the size stays the caller's.
pub(crate) fn write_sized<T: WithSize>(pointer: *mut T, value: &T) {
    // SAFETY: the caller vouches for a struct that begins with its size, which `options` has looked at.
    unsafe {
        let size = pointer.cast::<usize>().read();
        let known = size.min(size_of::<T>()).saturating_sub(size_of::<usize>());
        let from = std::ptr::from_ref(value).cast::<u8>().add(size_of::<usize>());
        pointer.cast::<u8>().add(size_of::<usize>()).copy_from_nonoverlapping(from, known);
    }
}

/// Where a call leaves something.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// A place that must be there. It is set to `nothing` at once, so that nobody finds rubbish after a failure.
    pub(crate) fn new(pointer: *mut T, nothing: T, what: &str) -> Result<Self, Fault> {
        if pointer.is_null() {
            return Err(Error::argument(format!("{what} is NULL")));
        }
        let out = Self(pointer);
        out.set(nothing);
        Ok(out)
    }

    /// A place that may be NULL, when nobody wants it.
    pub(crate) fn optional(pointer: *mut T) -> Self {
        Self(pointer)
    }

    pub(crate) fn set(&self, value: T) {
        if !self.0.is_null() {
            // SAFETY: the caller vouches for the place; what is there now may be anything, and is not dropped.
            unsafe { self.0.write(value) };
        }
    }
}

/// Places for several pointers, set to NULL.
pub(crate) fn places<'a, T>(
    pointer: *mut *const T,
    count: usize,
    what: &str,
) -> Result<&'a mut [*const T], Fault> {
    if pointer.is_null() || count > MAX_PLACES {
        return Err(Error::argument(format!("{what} is NULL, or too long to be true")));
    }
    // SAFETY: the caller vouches for so many places. Zeros are valid pointers, so that it does not matter what was there.
    unsafe {
        pointer.write_bytes(0, count);
        Ok(std::slice::from_raw_parts_mut(pointer, count))
    }
}

/// Copies text with a NUL into the caller's buffer; tells in any case how long it is without. False when it does not fit: then only
/// the NUL of an empty text is written.
pub(crate) fn copy_text(text: &str, buffer: *mut c_char, capacity: usize) -> bool {
    let fits = text.len() < capacity;
    if buffer.is_null() || capacity == 0 {
        return false;
    }
    let text = if fits { text } else { "" };
    // SAFETY: the caller vouches for the capacity, and the text with its NUL fits into it.
    unsafe {
        buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
        buffer.add(text.len()).write(0);
    }
    fits
}

/// Text for C. A NUL within, which only a broken server can send, ends it.
pub(crate) fn text_of(text: &str) -> CString {
    let end = text.bytes().position(|byte| byte == 0).unwrap_or(text.len());
    CString::new(text.get(..end).unwrap_or_default()).unwrap_or_default()
}

/// No struct of ours will ever be longer.
const MAX_STRUCT: usize = 4096;

/// Nobody has memory for so many results.
const MAX_PLACES: usize = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::QUORATE_INVALID_ARGUMENT;
    use std::ptr::null;

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Old {
        size: usize,
        a: i64,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct New {
        size: usize,
        a: i64,
        b: i32,
        c: i32,
    }

    // SAFETY: plain numbers.
    unsafe impl WithSize for Old {}
    // SAFETY: plain numbers.
    unsafe impl WithSize for New {}

    #[test]
    fn structs_of_older_and_newer_callers() {
        assert_eq!(options(null::<New>(), "x").unwrap(), New { size: 0, a: 0, b: 0, c: 0 });
        let old = Old { size: size_of::<Old>(), a: 7 };
        let read = options((&raw const old).cast::<New>(), "x").unwrap();
        assert_eq!((read.a, read.b), (7, 0));

        let mut new = New { size: size_of::<New>(), a: 7, b: 0, c: 0 };
        assert_eq!(options((&raw const new).cast::<Old>(), "x").unwrap().a, 7);
        new.c = 1;
        let refused = options((&raw const new).cast::<Old>(), "x").unwrap_err();
        assert_eq!(refused.status, QUORATE_INVALID_ARGUMENT);
        for size in [0, 7, 4097, usize::MAX] {
            new.size = size;
            assert!(options(&raw const new, "x").is_err(), "{size}");
        }
    }

    #[test]
    fn results_for_older_callers() {
        let mut place = New { size: size_of::<Old>(), a: 1, b: 2, c: 3 };
        write_sized(&raw mut place, &New { size: 99, a: 7, b: 8, c: 9 });
        assert_eq!(place, New { size: size_of::<Old>(), a: 7, b: 2, c: 3 });
        place.size = size_of::<New>() + 8;
        write_sized(&raw mut place, &New { size: 99, a: 7, b: 8, c: 9 });
        assert_eq!((place.a, place.c), (7, 9));
    }

    #[test]
    fn text_and_bytes() {
        assert_eq!(text(c"/a".as_ptr(), "path").unwrap(), "/a");
        assert!(text(null(), "path").is_err());
        assert!(text(c"\xff".as_ptr(), "path").is_err());
        assert_eq!(bytes(null(), 0, "data").unwrap(), b"");
        assert!(bytes(null(), 1, "data").is_err());
        assert!(bytes(b"x".as_ptr(), usize::MAX, "data").is_err());
        assert_eq!(text_of("a\0b"), CString::from(c"a"));
        let mut buffer = [1; 4];
        assert!(copy_text("abc", buffer.as_mut_ptr(), 4));
        assert_eq!(buffer.map(i8::cast_unsigned), *b"abc\0");
        assert!(!copy_text("abcd", buffer.as_mut_ptr(), 4));
        assert_eq!(buffer[0], 0);
        assert!(!copy_text("", std::ptr::null_mut(), 9));
    }
}
