//! Just enough DER to give a certificate a subject with several organizations, which rcgen cannot:
//! its names hold one attribute of each type.

use anyhow::{Context, Result, ensure};

const INTEGER_CONTEXT_0: u8 = 0xa0;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// 2.5.4.3, commonName.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// 2.5.4.10, organizationName.
const ORGANIZATION: [u8; 3] = [0x55, 0x04, 0x0a];

/// The certificate `der` with another subject, signed anew by `sign`.
///
/// The certificate has to carry its version, as every one with extensions does (RFC 5280, 4.1).
pub(crate) fn with_subject(
    der: &[u8],
    common_name: &str,
    organizations: &[&str],
    sign: impl Fn(&[u8]) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let (certificate, _) = split_first(der)?;
    let [to_be_signed, algorithm, _signature] = children(certificate.content)?[..] else {
        anyhow::bail!("a certificate has three parts");
    };
    let mut fields: Vec<Vec<u8>> =
        children(to_be_signed.content)?.iter().map(|field| field.whole.to_vec()).collect();
    // version, serialNumber, signature, issuer, validity, subject, ...
    ensure!(fields.len() > 6 && fields[0][0] == INTEGER_CONTEXT_0, "a version 3 certificate");
    fields[5] = name(common_name, organizations);
    let to_be_signed = encode(SEQUENCE, &fields.concat());
    let signature = sign(&to_be_signed)?;
    let signature = encode(BIT_STRING, &[&[0], &signature[..]].concat());
    let parts = [&to_be_signed[..], algorithm.whole, &signature].concat();
    Ok(encode(SEQUENCE, &parts))
}

fn name(common_name: &str, organizations: &[&str]) -> Vec<u8> {
    let organizations = organizations.iter().map(|organization| attribute(&ORGANIZATION, organization));
    let attributes: Vec<_> = organizations.chain([attribute(&COMMON_NAME, common_name)]).collect();
    encode(SEQUENCE, &attributes.concat())
}

fn attribute(kind: &[u8], value: &str) -> Vec<u8> {
    let pair = [encode(OBJECT_IDENTIFIER, kind), encode(UTF8_STRING, value.as_bytes())];
    encode(SET, &encode(SEQUENCE, &pair.concat()))
}

/// One element: all its bytes, and those after tag and length.
#[derive(Clone, Copy)]
struct Element<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

fn children(mut bytes: &[u8]) -> Result<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    while !bytes.is_empty() {
        let (element, rest) = split_first(bytes)?;
        elements.push(element);
        bytes = rest;
    }
    Ok(elements)
}

fn split_first(bytes: &[u8]) -> Result<(Element<'_>, &[u8])> {
    let truncated = "a truncated element";
    let first = usize::from(*bytes.get(1).context(truncated)?);
    let (length, header) = if first < 0x80 {
        (first, 2)
    } else {
        let header = 2 + (first & 0x7f);
        let length = bytes.get(2..header).context(truncated)?;
        ensure!(length.len() <= 4, "an element of that length");
        let length = length.iter().fold(0, |n, b| (n << 8) | usize::from(*b));
        (length, header)
    };
    let whole = bytes.get(..header + length).context(truncated)?;
    let content = &whole[header..];
    Ok((Element { whole, content }, &bytes[header + length..]))
}

fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|b| *b != 0).unwrap_or(7);
    let significant = &length[significant..];
    let mut bytes = vec![tag];
    if content.len() >= 0x80 {
        let count = u8::try_from(significant.len()).expect("a usize has at most eight bytes");
        bytes.push(0x80 | count);
    }
    bytes.extend_from_slice(significant);
    bytes.extend_from_slice(content);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_survive_a_round_trip() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let bytes = encode(SEQUENCE, &content);
            let (element, rest) = split_first(&bytes).unwrap();
            assert_eq!(element.content, content);
            assert_eq!(element.whole, bytes);
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn truncated_input_is_an_error() {
        let bytes = encode(SEQUENCE, &[7; 300]);
        for end in 0..bytes.len() {
            assert!(split_first(&bytes[..end]).is_err(), "{end} bytes");
        }
    }
}
