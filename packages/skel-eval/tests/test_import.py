import subprocess
import sys

import skel_eval

CODE = "import sys, skel_eval; print(sorted({'torch', 'sklearn', 'numpy'} & set(sys.modules)))"


def test_the_package_alone_imports_nothing_heavy():
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_every_public_name_is_there():
    assert all(getattr(skel_eval, name) is not None for name in skel_eval.__all__)
    assert callable(skel_eval.compare)  # and no module of that name
