"""A bar that says what takes long, in a page and in a terminal."""


def progress_bar(total, shown=True, unit=" updates", what=None, delay=0):
    """A bar that counts to `total` (None: unknown), shown after `delay` seconds, hidden where nothing is to do."""
    from tqdm.auto import tqdm

    hidden = not shown or total == 0
    return tqdm(total=total, unit=unit, desc=what, unit_scale=True, leave=False, delay=delay, disable=hidden)
