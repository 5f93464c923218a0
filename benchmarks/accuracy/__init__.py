"""How well converters keep the accuracy of the same trained weights, what it costs in spikes and in time: a file each."""
