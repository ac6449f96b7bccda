"""The Space: `python app.py` serves the app on http://127.0.0.1:7860, without any network.

SR_HUB_MAX_PIXELS sets the largest input in pixels, GRADIO_SERVER_NAME and GRADIO_SERVER_PORT the
address.
"""

import os
import signal

# Before the imports: both packages read these once. Neither then calls anyone by itself; the Hub
# is asked only for a model that a visitor names.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from sr_hub.errors import SRHubError
from sr_hub.webapp import build_app, launch_options

try:
    demo = build_app()
except SRHubError as error:  # of a setting
    raise SystemExit(f"error: {error}") from None

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: files are removed
    demo.launch(**launch_options())
