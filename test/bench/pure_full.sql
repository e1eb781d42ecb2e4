SELECT wf_run('pure full', '{"qty": 2}');
