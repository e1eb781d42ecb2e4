SELECT wf_run('pure none', '{"qty": 2}');
