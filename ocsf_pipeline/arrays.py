"""Arrays as bytes: npz archives that are equal for equal arrays.

Belongs here: writing them. Does not belong here: reading (`numpy.load` does, without pickle), any
meaning. `numpy.savez` stamps the time of writing into its archive, so that the same arrays give
other bytes a second later; what is named by the hash of its bytes must not.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

_NO_DATE = (1980, 1, 1, 0, 0, 0)


def write_arrays(arrays: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """Return a compressed npz archive of `arrays`, in the order of their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            entry = zipfile.ZipInfo(f"{name}.npy", _NO_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(arrays[name]), allow_pickle=False)
    return buffer.getvalue()
