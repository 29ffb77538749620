//! Response headers: the page loads nothing from elsewhere, and no other site may use it.

use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

/// The page as a single file. Its script and style are allowed by their hashes, so nothing else can run.
pub const PAGE: &str = concat!(
    include_str!("web/head.html"),
    "<style>\n",
    include_str!("web/page.css"),
    "</style>\n",
    include_str!("web/body.html"),
    "<script>\n",
    include_str!("web/page.js"),
    "</script>\n</body>\n</html>\n",
);

/// `Content-Security-Policy` of the page.
pub fn content_security_policy() -> String {
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(between(PAGE, "<script>", "</script>")),
        hash(between(PAGE, "<style>", "</style>")),
    )
}

/// Sets the headers of every response.
pub fn set(headers: &mut HeaderMap, csp: &HeaderValue) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert(header::CONTENT_SECURITY_POLICY, csp.clone());
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    text.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map_or("", |(inner, _)| inner)
}

fn hash(text: &str) -> String {
    base64(&Sha256::digest(text.as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit <= three.len() { char::from(DIGITS[value]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_known_bytes() {
        for (bytes, wanted) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), wanted);
        }
    }

    #[test]
    fn page_is_one_file_without_external_hosts() {
        assert_eq!(PAGE.matches("<script>").count() + PAGE.matches("<style>").count(), 2);
        assert!(!between(PAGE, "<script>", "</script>").is_empty() && !between(PAGE, "<style>", "</style>").is_empty());
        let foreign: Vec<&str> = PAGE.lines().filter(|line| line.contains("//") && line.contains("http")).collect();
        // An XML namespace is not fetched.
        assert!(foreign.iter().all(|line| line.contains("http://www.w3.org/2000/svg")), "{foreign:?}");
        for forbidden in [" style=", " onclick=", "javascript:", "innerHTML", "eval("] {
            assert!(!PAGE.contains(forbidden), "{forbidden}: the policy would block it, or should");
        }
    }
}
