"""A Hub on the loopback: what push, pull, `hf upload` and `hf download` ask of the real one.

    python tests/hub_server.py --port 8900      # prints the environment for `hf upload`

Repositories live in memory. Weights and pictures go the LFS way, so clients run with
HF_HUB_DISABLE_XET=1. Faults are planted with `server.fail(...)`, and `server.requests` holds every
request as "METHOD path".
"""

import argparse
import base64
import hashlib
import itertools
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

LFS_SUFFIXES = (".safetensors", ".bin", ".pth", ".png", ".jpg", ".webp", ".avif", ".onnx")


@dataclass
class Repo:
    """Commits are trees (path -> content), newest last; branches and tags name commits."""

    kind: str
    name: str
    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, tree: dict[str, bytes], title: str, branch: str) -> str:
        seed = f"{self.name} {branch} {title} {len(self.commits)}".encode()
        oid = hashlib.sha1(seed).hexdigest()
        self.commits[oid], self.titles[oid], self.branches[branch] = tree, title, oid
        return oid

    def resolve(self, revision: str) -> str | None:
        named = self.branches.get(revision) or self.tags.get(revision)
        return named or (revision if revision in self.commits else None)


@dataclass
class Fault:
    kind: str
    """"500", "429", "drop" (half of the body), "refuse" (no answer), "size" (a byte less than
    promised) or "corrupt" (one byte changed)."""
    method: str
    path: re.Pattern
    times: int


def git_oid(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_lfs(path: str) -> bool:
    return path.endswith(LFS_SUFFIXES)


class HubServer:
    """`with HubServer(tokens={"hf_secret": "user"}) as server: ... server.url`."""

    def __init__(self, tokens: dict[str, str] | None = None, port: int = 0) -> None:
        self.tokens = tokens or {"hf_user": "user"}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.ranges: list[str] = []
        handler = type("Handler", (_Handler,), {"hub": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def fail(self, kind: str, path: str = "", method: str = "", times: int = 1) -> None:
        """The next `times` requests of `method` whose path matches `path` go wrong."""
        self.faults.append(Fault(kind, method, re.compile(path), times))

    def fault_of(self, method: str, path: str) -> str | None:
        for fault in self.faults:
            if fault.times and fault.method in ("", method) and fault.path.search(path):
                fault.times -= 1
                return fault.kind
        return None

    def repo(self, name: str, kind: str = "model") -> Repo:
        return self.repos[kind, name]

    def count(self, pattern: str) -> int:
        return sum(re.search(pattern, request) is not None for request in self.requests)


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    ROUTES = (
        ("GET", r"/api/whoami-v2", "whoami"),
        ("POST", r"/api/repos/create", "create"),
        ("POST", r"/api/validate-yaml", "validate"),
        ("GET", r"/api/(model|dataset|space)s", "listing"),
        ("GET", r"/api/(model|dataset|space)s/([^/]+/[^/]+)(?:/revision/([^/]+))?", "info"),
        ("GET", r"/api/(model|dataset|space)s/([^/]+/[^/]+)/tree/([^/]+)(?:/.*)?", "tree"),
        ("GET", r"/api/(model|dataset|space)s/([^/]+/[^/]+)/refs", "refs"),
        ("GET", r"/api/(model|dataset|space)s/([^/]+/[^/]+)/commits/([^/]+)", "commits"),
        ("POST", r"/api/(model|dataset|space)s/([^/]+/[^/]+)/preupload/([^/]+)", "preupload"),
        ("POST", r"/api/(model|dataset|space)s/([^/]+/[^/]+)/commit/([^/]+)", "commit"),
        ("POST", r"/api/(model|dataset|space)s/([^/]+/[^/]+)/branch/([^/]+)", "branch"),
        ("POST", r"/api/(model|dataset|space)s/([^/]+/[^/]+)/tag/([^/]+)", "tag"),
        ("POST", r"/(?:(?:dataset|space)s/)?[^/]+/[^/]+\.git/info/lfs/objects/batch", "lfs_batch"),
        ("PUT", r"/lfs/([0-9a-f]{64})", "lfs_put"),
        ("POST", r"/lfs/verify", "lfs_verify"),
        ("GET", r"/cdn/([0-9a-f]{64})", "cdn"),
        ("GET", r"/(?:(dataset|space)s/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", "resolve"),
    )

    def do_GET(self) -> None:
        self.dispatch("GET")

    def do_HEAD(self) -> None:
        self.dispatch("GET")

    def do_POST(self) -> None:
        self.dispatch("POST")

    def do_PUT(self) -> None:
        self.dispatch("PUT")

    def log_message(self, *_: object) -> None:
        pass

    def dispatch(self, method: str) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        self.query = parse_qs(urlsplit(self.path).query)
        self.hub.requests.append(f"{self.command} {path}")
        self.fault = self.hub.fault_of(self.command, path)
        if self.fault == "refuse":
            self.close_connection = True
            return
        if self.fault in ("429", "500"):
            self.reply(int(self.fault), {"error": "planted"}, {"Retry-After": "0"})
            return
        for route_method, pattern, name in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if match and route_method == method:
                getattr(self, name)(*(unquote(part) if part else part for part in match.groups()))
                return
        self.reply(404, {"error": "no such address"})

    # answers

    def reply(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        if self.fault == "corrupt" and body:
            body = bytes([body[0] ^ 0xFF]) + body[1:]
        if self.fault == "size":
            body = body[:-1]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.fault == "drop":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        self.reply(status, {"error": code}, {"X-Error-Code": code, "X-Error-Message": code})

    def send_file(self, content: bytes, headers: dict[str, str]) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            self.reply(200, content, headers)
            return
        self.hub.ranges.append(asked[0])
        first, last = int(asked[1]), int(asked[2] or len(content) - 1)
        ranged = {"Content-Range": f"bytes {first}-{last}/{len(content)}", **headers}
        self.reply(206, content[first : last + 1], ranged)

    # who asks for what

    def user(self) -> str | None:
        return self.hub.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    def find(self, kind: str | None, name: str) -> Repo | None:
        repo = self.hub.repos.get((kind or "model", name))
        if repo is None or (repo.private and self.user() != name.split("/")[0]):
            self.refuse(404 if self.user() else 401, "RepoNotFound")
            return None
        return repo

    def find_to_write(self, kind: str, name: str) -> Repo | None:
        if self.user() != name.split("/")[0]:
            self.refuse(403 if self.user() else 401, "Forbidden")
            return None
        return self.find(kind, name)

    def find_commit(self, repo: Repo, revision: str | None) -> str | None:
        oid = repo.resolve(revision or "main")
        if oid is None:
            self.refuse(404, "RevisionNotFound")
        return oid

    # repositories

    def whoami(self) -> None:
        if self.user() is None:
            self.reply(401, {"error": "Invalid credentials"})
        else:
            self.reply(200, {"type": "user", "name": self.user(), "orgs": [], "auth": {}})

    def create(self) -> None:
        asked = json.loads(self.body)
        if self.user() is None:
            self.refuse(401, "Unauthorized")
            return
        owner, kind = asked.get("organization") or self.user(), asked.get("type") or "model"
        if owner != self.user():
            self.refuse(403, "Forbidden")
            return
        name = f"{owner}/{asked['name']}"
        prefix = "" if kind == "model" else f"{kind}s/"
        url = {"url": f"{self.hub.url}/{prefix}{name}"}
        if (kind, name) in self.hub.repos:
            self.reply(409, {"error": "You already created this repo", **url})
            return
        repo = Repo(kind, name, private=asked.get("visibility") == "private")
        repo.commit({".gitattributes": b"*.safetensors filter=lfs\n"}, "initial commit", "main")
        self.hub.repos[kind, name] = repo
        self.reply(200, url)

    def validate(self) -> None:
        self.reply(200, {"errors": [], "warnings": []})

    def listing(self, kind: str) -> None:
        author = self.query.get("author", [None])[0]
        names = [
            repo.name
            for (repo_kind, name), repo in self.hub.repos.items()
            if repo_kind == kind and not repo.private and author in (None, name.split("/")[0])
        ]
        self.reply(200, [{"id": name, "tags": [], "private": False} for name in names])

    def info(self, kind: str, name: str, revision: str | None) -> None:
        repo = self.find(kind, name)
        oid = repo and self.find_commit(repo, revision)
        if not oid:
            return
        files = [{"rfilename": path} for path in repo.commits[oid]]
        if "blobs" in self.query:
            files = [
                {
                    "rfilename": entry["path"],
                    **{k: entry[k] for k in ("size", "oid", "lfs") if k in entry},
                }
                for entry in self.entries(repo.commits[oid])
            ]
        self.reply(
            200,
            {"id": name, "sha": oid, "private": repo.private, "siblings": files, "tags": []},
        )

    def tree(self, kind: str, name: str, revision: str) -> None:
        repo = self.find(kind, name)
        oid = repo and self.find_commit(repo, revision)
        if oid:
            self.reply(200, self.entries(repo.commits[oid]))

    def entries(self, tree: dict[str, bytes]) -> list[dict]:
        entries = []
        for path, content in sorted(tree.items()):
            entry = {"type": "file", "path": path, "size": len(content), "oid": git_oid(content)}
            if is_lfs(path):
                entry["lfs"] = {"oid": sha256(content), "sha256": sha256(content)}
                entry["lfs"] |= {"size": len(content), "pointerSize": 134}
            entries.append(entry)
        return entries

    def refs(self, kind: str, name: str) -> None:
        repo = self.find(kind, name)
        if repo:
            self.reply(
                200,
                {
                    "branches": _refs("heads", repo.branches),
                    "tags": _refs("tags", repo.tags),
                    "converts": [],
                },
            )

    def commits(self, kind: str, name: str, revision: str) -> None:
        repo = self.find(kind, name)
        if repo and self.find_commit(repo, revision):
            date = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
            rows = [
                {"id": oid, "title": title, "message": "", "authors": [], "date": date}
                for oid, title in repo.titles.items()
            ]
            self.reply(200, rows[::-1])

    def branch(self, kind: str, name: str, branch: str) -> None:
        self.name_commit(kind, name, "branches", branch, json.loads(self.body).get("startingPoint"))

    def tag(self, kind: str, name: str, revision: str) -> None:
        self.name_commit(kind, name, "tags", json.loads(self.body)["tag"], revision)

    def name_commit(
        self, kind: str, name: str, table: str, label: str, revision: str | None
    ) -> None:
        repo = self.find_to_write(kind, name)
        oid = repo and self.find_commit(repo, revision)
        if not oid:
            return
        names = getattr(repo, table)
        if label in names:
            self.reply(409, {"error": "Reference already exists"})
            return
        names[label] = oid
        self.reply(200, {})

    # upload

    def preupload(self, kind: str, name: str, revision: str) -> None:
        repo = self.find_to_write(kind, name)
        oid = repo and self.find_commit(repo, revision)
        if not oid:
            return
        answers = []
        for file in json.loads(self.body)["files"]:
            path = file["path"]
            answer = {"path": path, "uploadMode": "lfs" if is_lfs(path) else "regular"}
            content = repo.commits[oid].get(path)
            if content is not None:
                answer["oid"] = sha256(content) if is_lfs(path) else git_oid(content)
            answers.append({**answer, "shouldIgnore": False})
        self.reply(200, {"files": answers})

    def lfs_batch(self) -> None:
        objects = []
        for asked in json.loads(self.body)["objects"]:
            answer = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.hub.blobs:
                href = f"{self.hub.url}/lfs"
                answer["actions"] = {
                    "upload": {"href": f"{href}/{asked['oid']}", "header": {}},
                    "verify": {"href": f"{href}/verify", "header": {}},
                }
            objects.append(answer)
        self.reply(200, {"transfer": "basic", "objects": objects})

    def lfs_put(self, oid: str) -> None:
        if sha256(self.body) != oid:
            self.reply(400, {"error": "checksum differs"})
            return
        self.hub.blobs[oid] = self.body
        self.reply(200, {})

    def lfs_verify(self) -> None:
        known = json.loads(self.body)["oid"] in self.hub.blobs
        self.reply(200 if known else 404, {})

    def commit(self, kind: str, name: str, branch: str) -> None:
        repo = self.find_to_write(kind, name)
        parent = repo and self.find_commit(repo, branch)
        if not parent:
            return
        tree, title = dict(repo.commits[parent]), ""
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                title = value["summary"]
            elif entry["key"] == "file":
                tree[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                tree[value["path"]] = self.hub.blobs[value["oid"]]
            else:
                gone = value["path"].rstrip("/")
                tree = {p: c for p, c in tree.items() if p != gone and not p.startswith(gone + "/")}
        request = f"pr/{len(repo.branches)}" if "create_pr" in self.query else None
        oid = repo.commit(tree, title, f"refs/{request}" if request else branch)
        page = f"{self.hub.url}/{'' if kind == 'model' else kind + 's/'}{name}"
        answer = {"commitOid": oid, "commitUrl": f"{page}/commit/{oid}"}
        if request:
            answer["pullRequestUrl"] = f"{page}/discussions/1"
        self.reply(200, answer)

    # download

    def resolve(self, kind: str | None, name: str, revision: str, path: str) -> None:
        repo = self.find(kind, name)
        oid = repo and self.find_commit(repo, revision)
        if not oid:
            return
        content = repo.commits[oid].get(path)
        headers = {"X-Repo-Commit": oid}
        if content is None:
            self.reply(404, {}, {**headers, "X-Error-Code": "EntryNotFound"})
        elif is_lfs(path):
            digest = sha256(content)
            self.hub.blobs[digest] = content
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
            # Another host name, as the real one has: the client must not send it the token.
            store = self.hub.url.replace("127.0.0.1", "localhost")
            self.reply(302, b"", {**headers, "Location": f"{store}/cdn/{digest}"})
        else:
            self.send_file(content, {**headers, "ETag": f'"{git_oid(content)}"'})

    def cdn(self, digest: str) -> None:
        if "Authorization" in self.headers:
            self.reply(400, {"error": "a token was sent to another host"})
            return
        self.send_file(self.hub.blobs[digest], {"ETag": f'"{digest}"'})


def _refs(kind: str, names: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "ref": f"refs/{kind}/{quote(name)}", "targetCommit": oid}
        for name, oid in names.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="A Hub on the loopback, for trying things out.")
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--token", default="hf_user", help="token of the account 'user'")
    arguments = parser.parse_args()
    with HubServer({arguments.token: "user"}, port=arguments.port) as server:
        print(f"export HF_ENDPOINT={server.url} HF_HUB_DISABLE_XET=1 HF_TOKEN={arguments.token}")
        for _ in itertools.count():
            time.sleep(3600)


if __name__ == "__main__":
    main()
