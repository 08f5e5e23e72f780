"""A bar that says what takes long, in a page and in a terminal."""


def progress_bar(total, shown=True, unit=" updates", what=None):
    """A bar that counts to `total`, and is gone when it is full; hidden where there is nothing to do."""
    from tqdm.auto import tqdm

    return tqdm(total=total, unit=unit, desc=what, unit_scale=True, leave=False, disable=not (shown and total))
