"""``glioseg review``: its options."""

from pathlib import Path

from glioseg.cli.options import WholeNumber
from glioseg.terminal import print_place, progress


def review(
    masks: Path,
    *,
    scans: Path | None = None,
    dicomweb: str | None = None,
    reader: str | None = None,
    report: Path | None = None,
    store: str | None = None,
    port: WholeNumber = 0,
    browser: bool = True,
) -> None:
    """Look at masks, correct and accept them, in a page on this machine. Every stroke is kept as it is drawn.

    Parameters
    ----------
    masks
        What predict wrote, a folder in the dataset's layout, a study's folder, or masks of another program under the
        names that predict gives. Results go to its folder review.
    scans
        The scans, where masks does not tell or they have moved.
    dicomweb
        The DICOMweb archive that predict had the scans from: they are fetched once and stay in the folder review.
    reader
        Read blind to others under this name; without it everyone shares one reading.
    report
        Write a page on the readings instead: what was changed where, how long it took, how far readers agree.
    store
        Send accepted and corrected DICOM results to this DICOMweb archive instead.
    port
        A port of this machine; without it any that is free.
    browser
        Open the page.
    """
    from glioseg.commands.review import fetch_scans, report_readings, review, store_results

    if dicomweb is not None:
        fetch_scans(masks, dicomweb, progress=progress)
    if report is not None:
        report_readings(masks, report, scans=scans)
        print_place("report", report, False)
    if store is not None:
        print(f"{store_results(masks, store, scans=scans, reader=reader)} objects stored in {store}")
    if report is None and store is None:
        review(masks, scans=scans, reader=reader, port=port, browser=browser, progress=progress)
