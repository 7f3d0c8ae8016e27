"""The rules, one file for each form of target: facts to choices."""
