module least_wait

go 1.24
