"""Texts that name places outside of a bundle: other users' files, system folders, what starts by itself."""

from __future__ import annotations

import re

Fault = tuple[str, str]
_OUTSIDE = re.compile(
    r"(^|[\s'\":=,;(])~[\w-]*([/\\]|$)"  # a home
    r"|(^|[/\\])\.\.[/\\].*(\.py|\.pth|\.so|\.ssh|\.bash|\.profile)"
    r"|^[/\\](etc|usr|bin|sbin|lib\w*|root|boot|proc|sys|dev|var)([/\\]|$)"
    r"|[/\\]\.(ssh|bash\w*|profile|zsh\w*|config|aws|gnupg|local|netrc|kube|docker)\b"
    r"|[/\\](site|dist)-packages([/\\]|$)|(^|[/\\])(sitecustomize|usercustomize)\b"
    r"|^[A-Za-z]:[/\\]+(windows|users|program)",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"^(os|posix|nt|subprocess|builtins|__builtin__|shutil|pty|ctypes|importlib|runpy|pickle|marshal|sys|socket)"
    r"\.[A-Za-z_]\w*(\.\w+)*$"
)
_DUNDER = re.compile(r"__(class|bases?|mro|subclasses|globals|builtins|import|dict|code|getattribute|reduce\w*)__")


def judge_text(text: str) -> list[Fault]:
    """What is refused about a text, wherever in a config it stands."""
    if _CODE.match(text):
        return [(text, "It names code; a component that looks names up would call it.")]
    if _DUNDER.search(text):
        return [(text, "It spells one of Python's inner names.")]
    if _OUTSIDE.search(text):
        return [(text, "It names a place that no bundle has business with.")]
    return []
