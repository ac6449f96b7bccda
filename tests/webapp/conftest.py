"""An app of tiny networks, and what the tests of its pages give it."""

import pytest


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    from webapp_parts import tiny_networks

    return tiny_networks(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    from webapp_parts import store_results

    folder = tmp_path_factory.mktemp("results")
    store_results(folder)
    return folder


@pytest.fixture(scope="session")
def url(models, results):
    from webapp_parts import MAX_PIXELS

    from sr_hub import webapp

    demo = webapp.build_app(models, max_pixels=MAX_PIXELS, results=results)
    _, address, _ = demo.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **webapp.launch_options()
    )
    yield address
    demo.close()


@pytest.fixture(scope="session")
def client(url, tmp_path_factory):
    from gradio_client import Client

    return Client(url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


@pytest.fixture
def offer(models):
    from webapp_parts import MAX_PIXELS

    from sr_hub.webapp.engine import Engine

    return Engine(models, max_pixels=MAX_PIXELS)


@pytest.fixture
def photo(tmp_path):
    from webapp_parts import texture

    path = tmp_path / "photo.png"
    texture(60, 40).save(path)
    return path


@pytest.fixture
def truth(tmp_path):
    from webapp_parts import texture

    path = tmp_path / "truth.png"
    texture(97, 66).save(path)
    return path
