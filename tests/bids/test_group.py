import re

from glioseg.bids.group import GroupRow, render_group_report

ROWS = [
    GroupRow("sub-01", "done", mask="m", sheet="sub-01/figures/s.png", measured={"presence": "present", "slices": 20}),
    GroupRow("sub-02_ses-b_run-1", "failed", "The file <is> cut short."),
    GroupRow("sub-03", "missing", "It is not segmented yet."),
    GroupRow("sub-04_ses-a", "done", measured={"presence": "doubtful", "volume_ml": 12.34}),
]


def test_a_row_tells_subject_and_session() -> None:
    row = GroupRow("sub-02_ses-b_run-1", "failed", "why").as_row()
    assert row == {
        "participant_id": "sub-02",
        "session_id": "ses-b",
        "filename": "",
        "state": "failed",
        "reason": "why",
    }


def test_the_page_begins_with_what_needs_eyes() -> None:
    page = render_group_report("Practice", ROWS)
    assert re.findall(r'<th scope="row">(?:<a[^>]*>)?(sub[^<]*)', page) == [
        "sub-02_ses-b_run-1",
        "sub-03",
        "sub-04_ses-a",
        "sub-01",
    ]
    assert '<a href="sub-01/figures/s.png">sub-01</a>' in page
    assert "The file &lt;is&gt; cut short." in page
    assert "<td>12.3</td>" in page


def test_the_page_counts() -> None:
    figures = re.findall(r'<dt>([^<]*)</dt><dd class="number">(\d+)', render_group_report("Practice", ROWS))
    assert dict(figures) == {
        "Participants": "4",
        "Segmented": "2",
        "Failed": "1",
        "Tumour present": "1",
        "Doubtful": "1",
        "No tumour": "0",
    }
