"""The language of a page, decided before gradio's front end looks.

gradio takes the browser's language and has no lasting way to choose another. A script at the top of
every page sets what it will find: the visitor's own choice, else the browser's language. gradio
runs its `head` argument too late for that, hence the ASGI layer.
"""

from sr_hub.webapp.i18n import COOKIE

# Every kind of Chinese is one of the two that are written here, every other language is English.
SCRIPT = f"""
<script>
(() => {{
  let asked = null;
  try {{ asked = localStorage.getItem("{COOKIE}"); }} catch {{}}
  asked = asked || navigator.language || "en";
  const traditional = /^zh\\b.*(TW|HK|MO|Hant)/i.test(asked);
  const language = !/^zh\\b/i.test(asked) ? "en" : traditional ? "zh-TW" : "zh-CN";
  Object.defineProperty(navigator, "language", {{ get: () => language, configurable: true }});
  document.documentElement.lang = language;
  const framed = location.protocol === "https:" ? "None; Secure; Partitioned" : "Lax";
  document.cookie = "{COOKIE}=" + language + "; path=/; SameSite=" + framed;
  document.addEventListener("click", (event) => {{
    const button = event.target.closest("[data-language]");
    if (!button) return;
    try {{ localStorage.setItem("{COOKIE}", button.dataset.language); }} catch {{}}
    location.reload();
  }});
}})();
</script>
"""


class LanguageScript:
    """An ASGI application that puts `SCRIPT` first into the head of every HTML page of another."""

    def __init__(self, app) -> None:  # noqa: ANN001
        self.app = app

    async def __call__(self, scope, receive, send) -> None:  # noqa: ANN001
        """Answer one request."""
        start, body = None, b""

        async def send_page(message: dict) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    page = body.replace(b"<head>", b"<head>" + SCRIPT.encode(), 1)
                    await send(start | {"headers": _with_length(start["headers"], len(page))})
                    await send({"type": "http.response.body", "body": page})

        await self.app(scope, receive, send_page if scope["type"] == "http" else send)


def _is_page(start: dict) -> bool:
    kinds = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    return bool(kinds) and kinds[0].startswith(b"text/html")


def _with_length(headers: list[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    others = [pair for pair in headers if pair[0].lower() != b"content-length"]
    return [*others, (b"content-length", str(length).encode())]
