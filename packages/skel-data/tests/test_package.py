"""What the package shows to the outside."""

import subprocess
import sys

import skel_data


def test_every_public_name_exists():
    assert sorted(skel_data.__all__) == sorted(set(skel_data.__all__))
    for name in skel_data.__all__:
        assert getattr(skel_data, name) is not None


def test_import_is_light():
    code = "import sys, skel_data; print(sorted({'torch', 'scipy', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
