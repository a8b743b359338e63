package dist

// Remove deletes the directory by way of another os.RemoveAll.
func Remove(d Dir, removeAll func(string) error) error { return d.remove(removeAll) }
