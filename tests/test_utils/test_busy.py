from mmocc.utils.busy import busy_remark


def test_threads_on_busy_cores_are_worth_a_remark():
    assert busy_remark(0.4, 2, 2) is None
    assert busy_remark(4.0, 2, 2) is None  # a job that has just ended
    assert busy_remark(18.0, 2, 1) is None  # nothing waits for threads
    assert '18 processes are at work on 2 cores' in busy_remark(18.0, 2, 2)
    assert 'OMP_NUM_THREADS=1' in busy_remark(4.1, 2, 2)
