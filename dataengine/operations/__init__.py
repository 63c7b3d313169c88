"""What is done to finished stores: verify, repair, merge, filter, reshard, export; one file each."""
