//! Hashes, identifiers made of values, masks.

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::super::eval::{Result, Run, mismatch};
use super::super::{Const, EvalFault};
use super::encode::room;
use super::needs::{Gives, Need, Of};
use super::prepared::Prepared;
use super::{Family, Function, Prepare, Unfit};
use crate::codec::Val;
use crate::codec::murmur2::murmur2;

const LIMIT: &[&str] = &["expression_limit"];
const PIECE: usize = 64;

/// The namespace of a UUID as the first argument.
const NAMESPACE: Prepare = Prepare {
    arg: 0,
    make: namespace,
    rules_out: &["bad_argument"],
};

pub(super) static FAMILY: Family = Family {
    title: "Hashes and masks",
    intro: "A plain hash of a value that can be guessed is no protection: who has the list of all customers has their hashes. What hides a value is \
            `redact`, a mask, or a function with a key.",
    functions: &[
        Function::new("hash.sha256(bytes) -> bytes", sha256)
            .fails(LIMIT)
            .doc("SHA-256, 32 bytes.")
            .examples(&[("hex.encode(hash.sha256(b'abc'))", "'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'")]),
        Function::new("hash.sha256(string) -> bytes", sha256)
            .fails(LIMIT)
            .doc("SHA-256 of the text in UTF-8.")
            .examples(&[("hash.sha256('abc') == hash.sha256(b'abc')", "true")]),
        Function::new("hash.murmur2(bytes) -> int", kafka_hash)
            .fails(LIMIT)
            .gives(Gives::Whole(i32::MIN as i64, i32::MAX as i64))
            .doc("The hash by which Kafka's default partitioner chooses a partition, with its sign; the partition is `math.bitAnd(x, 2147483647) % n`.")
            .examples(&[("hash.murmur2(b'foobar')", "-790332482")]),
        Function::new("hash.murmur2(string) -> int", kafka_hash)
            .fails(LIMIT)
            .gives(Gives::Whole(i32::MIN as i64, i32::MAX as i64))
            .doc("The same of the text in UTF-8.")
            .examples(&[("hash.murmur2('21')", "-973932308")]),
        Function::with("uuid5(string, string) -> string", NAMESPACE, uuid5)
            .fails(&["bad_argument", "expression_limit"])
            .doc("The UUID of version 5 of a name in a namespace, which is a UUID or one of `dns`, `url`, `oid`, `x500`: the same name always has the same.")
            .examples(&[
                ("uuid5('dns', 'www.example.org')", "'74738ff5-5367-5958-9aee-98fffdcd1876'"),
                ("uuid5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'x') == uuid5('url', 'x')", "true"),
            ]),
        Function::new("redact(A) -> string", redact)
            .doc("`[redacted]`, whatever the value is.")
            .examples(&[("redact('4111 1111')", "'[redacted]'")])
            .redacts(),
        Function::new("mask.keep_last(string, int) -> string", keep_last)
            .fails(&["bad_argument", "expression_limit"])
            .needs(&[Need("bad_argument", Of::Whole(1, 0, i64::MAX))])
            .doc("The text with a `*` for every character but the last so many. A text that is no longer than twice that is hidden wholly.")
            .examples(&[("mask.keep_last('4111111111111234', 4)", "'************1234'"), ("mask.keep_last('1234', 4)", "'****'")])
            .redacts(),
        Function::new("mask.keep_first(string, int) -> string", keep_first)
            .fails(&["bad_argument", "expression_limit"])
            .needs(&[Need("bad_argument", Of::Whole(1, 0, i64::MAX))])
            .doc("The text with a `*` for every character but the first so many. A text that is no longer than twice that is hidden wholly.")
            .examples(&[("mask.keep_first('DE89370400440532013000', 4)", "'DE89******************'")])
            .redacts(),
        Function::new("mask.all(string) -> string", mask_all)
            .fails(LIMIT)
            .doc("A `*` for every character.")
            .examples(&[("mask.all('secret')", "'******'")])
            .redacts(),
        Function::new("mask.email(string) -> string", mask_email)
            .fails(LIMIT)
            .doc("An address with its domain and a `*` for every character before the last `@`; a text without one is hidden wholly.")
            .examples(&[("mask.email('ann@example.org')", "'***@example.org'"), ("mask.email('ann')", "'***'")])
            .redacts(),
    ],
};

/// The bytes of a text or of bytes.
fn bytes<'a>(val: Val<'a>) -> Option<&'a [u8]> {
    match val {
        Val::Bytes(bytes) => Some(bytes),
        Val::Str(text) => Some(text.as_bytes()),
        _ => None,
    }
}

fn sha256<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let input = args.first().and_then(|val| bytes(*val));
    let input = input.ok_or_else(|| mismatch(args))?;
    // A byte of a hash is some ten times dearer than one that is compared.
    run.step(input.len() / PIECE * 10)?;
    let out = room(run, 32)?;
    out.copy_from_slice(&Sha256::digest(input));
    Ok(Val::Bytes(out))
}

fn kafka_hash<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let input = args.first().and_then(|val| bytes(*val));
    let input = input.ok_or_else(|| mismatch(args))?;
    run.step(input.len() / PIECE)?;
    Ok(Val::Int(murmur2(input).cast_signed().into()))
}

/// The namespaces of RFC 9562.
fn known(name: &str) -> Option<[u8; 16]> {
    let last = match name {
        "dns" => 0x10,
        "url" => 0x11,
        "oid" => 0x12,
        "x500" => 0x14,
        uuid => return parse_uuid(uuid),
    };
    let mut namespace = *b"\x6b\xa7\xb8\x00\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8";
    namespace[3] = last;
    Some(namespace)
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|at| bytes[*at] != b'-') {
        return None;
    }
    let mut digits = bytes.iter().filter(|byte| **byte != b'-');
    let mut value = || char::from(*digits.next()?).to_digit(16);
    let mut uuid = [0; 16];
    for byte in &mut uuid {
        *byte = (value()? << 4 | value()?) as u8;
    }
    // A hyphen in another place leaves too few digits.
    Some(uuid)
}

fn bad_namespace() -> EvalFault {
    EvalFault::new(
        "bad_argument",
        "a namespace is neither a UUID nor one of dns, url, oid, x500",
    )
}

fn namespace(text: &Const) -> std::result::Result<Prepared, Unfit> {
    let Const::Str(text) = text else {
        return Ok(Prepared::Good);
    };
    match known(text) {
        Some(namespace) => Ok(Prepared::Namespace(namespace)),
        None => Err(Unfit {
            code: "bad_constant",
            message: format!("\"{text}\" is not the namespace of a UUID"),
            help: "it is a UUID, or one of dns, url, oid, x500".into(),
        }),
    }
}

fn uuid5<'a>(
    run: &Run<'_, 'a>,
    args: &[Val<'a>],
    prepared: Option<&'a Prepared>,
) -> Result<Val<'a>> {
    let [Val::Str(namespace), Val::Str(name)] = args else {
        return Err(mismatch(args));
    };
    let namespace = match prepared {
        Some(Prepared::Namespace(namespace)) => *namespace,
        _ => known(namespace).ok_or_else(bad_namespace)?,
    };
    run.step(name.len() / PIECE * 10)?;
    let hash = Sha1::new()
        .chain_update(namespace)
        .chain_update(name)
        .finalize();
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&hash[..16]);
    uuid[6] = uuid[6] & 0x0f | 0x50;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    run.text(36, |out| {
        for (at, byte) in uuid.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                out.push('-');
            }
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
    })
}

fn redact<'a>(_: &Run<'_, 'a>, _: &[Val<'a>]) -> Result<Val<'a>> {
    Ok(Val::Str("[redacted]"))
}

/// How many characters stay: not so many that the text could be told from them.
fn kept(count: usize, keep: i64) -> Result<usize> {
    let keep = usize::try_from(keep)
        .map_err(|_| EvalFault::new("bad_argument", "a negative number of characters is kept"))?;
    Ok(if count > keep.saturating_mul(2) {
        keep
    } else {
        0
    })
}

fn keep_last<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text), Val::Int(keep)] = args else {
        return Err(mismatch(args));
    };
    let count = text.chars().count();
    let hidden = count - kept(count, *keep)?;
    run.text(text.len(), |out| {
        out.extend(std::iter::repeat_n('*', hidden));
        out.extend(text.chars().skip(hidden));
    })
}

fn keep_first<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text), Val::Int(keep)] = args else {
        return Err(mismatch(args));
    };
    let count = text.chars().count();
    let shown = kept(count, *keep)?;
    run.text(text.len(), |out| {
        out.extend(text.chars().take(shown));
        out.extend(std::iter::repeat_n('*', count - shown));
    })
}

fn mask_all<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    let count = text.chars().count();
    run.text(count, |out| out.extend(std::iter::repeat_n('*', count)))
}

fn mask_email<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    let (name, domain) = text.split_at(text.rfind('@').unwrap_or(text.len()));
    run.text(text.len(), |out| {
        out.extend(name.chars().map(|_| '*'));
        out.push_str(domain);
    })
}
