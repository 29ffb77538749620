//! Text to HTML. Names and reasons come from foreign files, cameras and databases: none of it is ever treated as markup.

use std::fmt::{self, Display, Write};

/// Escapes everything that has a meaning in HTML, inside and outside of attributes. Terminal control characters and
/// characters that change the writing direction are replaced by a visible sign.
pub(super) fn text(text: impl Display) -> impl Display {
    fmt::from_fn(move |f| write!(Escape(f), "{text}"))
}

struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => self.0.write_char(char::REPLACEMENT_CHARACTER)?,
                other if other.is_control() => self.0.write_char(char::REPLACEMENT_CHARACTER)?,
                other => self.0.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::text;

    #[test]
    fn markup_is_escaped() {
        assert_eq!(
            text("<a href=\"x\" onclick='y'>&\u{0}\u{202e}µ").to_string(),
            "&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;\u{fffd}\u{fffd}µ"
        );
    }

    proptest! {
        #[test]
        fn foreign_text_never_becomes_markup(foreign in ".{0,60}") {
            let escaped = text(&foreign).to_string();
            let bare = |character: char| matches!(character, '<' | '>' | '"' | '\'') || character.is_control();
            prop_assert!(!escaped.contains(bare));
        }
    }
}
