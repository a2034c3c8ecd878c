#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a piece of the book's HTML says."""
import html
import re


def plain(text):
    """The text of a piece of HTML, in one line."""
    text = re.sub(r"<svg\b.*?</svg>|<script\b.*?</script>", " ", text,
                  flags=re.S)
    text = re.sub(r"</(p|li|td|th|pre|h\d|figcaption|div|dt|dd)>|<br ?/?>", " ",
                  text)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())
