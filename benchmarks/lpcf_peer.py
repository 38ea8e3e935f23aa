"""One fit by `lpcf`, run by an interpreter that has it: lpcf_peer.py IN.npz SETTINGS OUT.npz.

Needs nothing of this repository, because lpcf pins an old jax that wants an older numpy.
"""

import json
import sys
import time

import numpy as np


def main() -> None:
    """Read rows and settings, fit, and write predictions and processor seconds."""
    import jax.numpy as jnp
    from lpcf.pcf import PCF

    rows, settings = np.load(sys.argv[1]), json.loads(sys.argv[2])
    model, options = PCF(**settings["network"]), dict(settings["fit"])
    if "argmin" in options:
        least, penalty = jnp.array(options.pop("argmin")), options.pop("penalty")
        model.argmin(fun=lambda theta: least, penalty=penalty)
    began = time.process_time()
    found = model.fit(
        rows["y"], rows["x"], rows["theta"], seeds=np.array([settings["seed"]]), cores=1, **options
    )
    spent = time.process_time() - began
    np.savez(
        sys.argv[3],
        seconds=spent,
        real=found["time"],
        train=np.asarray(model.predict(rows["x"], rows["theta"])).ravel(),
        test=np.asarray(model.predict(rows["x_test"], rows["theta_test"])).ravel(),
        parameters=sum(np.size(part) for part in model.model.params),
    )


if __name__ == "__main__":
    main()
