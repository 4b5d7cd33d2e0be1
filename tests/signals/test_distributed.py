# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The chain under a dask.distributed client of the user."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_distributed_equals_eager(client, image, run_chain, eager, tmp_path):
    chain = run_chain(image.as_lazy(chunks=(100, 90)))
    assert chain.atoms._lazy
    np.testing.assert_array_equal(chain.segmented.labels.data, eager.segmented.labels)
    np.testing.assert_allclose(chain.peaks.table, eager.peaks.table, atol=1e-9)
    np.testing.assert_allclose(chain.strain.data, eager.strain.data, atol=1e-9)
    np.testing.assert_allclose(chain.atoms.table, eager.atoms.table, atol=1e-7)
    chain.strain.save(tmp_path / "strain.zspy")
    computed = chain.strain
    computed.compute()
    np.testing.assert_allclose(
        computed.displacement.data, eager.strain.displacement.data, atol=1e-9
    )
    assert len(client.scheduler_info()["workers"]) == 2
