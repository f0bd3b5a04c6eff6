import subprocess
import sys


def test_import_is_light():
    code = "import sys, skel_encoders; assert not {'timm', 'torchvision', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
